"""One module for each migration: a `MIGRATION` with version, reason and examples. Owned by the platform team."""
