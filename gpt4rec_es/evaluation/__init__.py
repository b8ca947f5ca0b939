"""Measuring recommenders on the cases of a split."""
