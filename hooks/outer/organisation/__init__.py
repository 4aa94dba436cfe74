"""The organisation's own policies, owned by the platform team; README.md says how to write one."""
