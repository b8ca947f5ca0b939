"""Use cases other than the night, one per module."""
