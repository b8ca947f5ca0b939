"""Choosing k1 and b by measurement."""
