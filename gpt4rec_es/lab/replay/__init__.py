"""Merging a retained night again with other settings, and comparing lists."""
