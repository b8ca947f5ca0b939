"""Recommenders without a language model, as baselines."""
