"""Tuning of k1 and b on a grid, and promotion of the result."""
