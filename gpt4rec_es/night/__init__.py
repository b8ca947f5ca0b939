"""Nightly runs: inputs, stages, publishing, inspection."""
