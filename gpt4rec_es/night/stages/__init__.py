"""Stages of a run, shard by shard: generate, search, merge."""
