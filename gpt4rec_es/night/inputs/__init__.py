"""Inputs that a run freezes when it is planned."""
