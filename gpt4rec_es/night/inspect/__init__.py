"""Inspection of a run's progress, and explanations of lists."""
