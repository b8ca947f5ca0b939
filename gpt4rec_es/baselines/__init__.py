"""Recommenders that need no training, for comparison."""
