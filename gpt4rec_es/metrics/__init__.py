"""Metrics of lists; pure functions over arrays."""
