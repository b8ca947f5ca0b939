"""Exports of lists and queries, and the data dictionary for analysts."""
