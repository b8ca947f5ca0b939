"""Measuring methods on the test users of a split."""
