"""Searching a build for query texts."""
