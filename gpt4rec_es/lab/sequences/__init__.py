"""Losses over items and batches of histories, for every network that predicts next purchases."""
