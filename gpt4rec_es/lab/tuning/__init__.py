"""Choosing k1 and b on a grid, and promoting the choice."""
