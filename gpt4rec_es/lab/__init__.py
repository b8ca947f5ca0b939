"""Offline work: train, split, measure, tune and replay; may use the night, which never uses it."""
