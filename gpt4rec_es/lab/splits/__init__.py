"""Splits of the histories into training, validation and test."""
