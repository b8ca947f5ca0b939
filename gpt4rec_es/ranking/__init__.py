"""Merging hits into lists; pure."""
