"""Builds marts with dbt and writes them to the output ports."""
