"""The law of a data product: checks, runs, verifies and shows it. Owned by the platform team."""

__version__ = "0.1.0"
