"""Evaluation of methods on the users of a split."""
