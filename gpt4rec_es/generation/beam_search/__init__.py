"""Exact beam search in which a prompt is read once and its beams share one key-value cache.

docs/beam-search.md says why this works. Read loop.py first; selection, pool, mask and cache each stand
alone, and linears.py only makes the same numbers sooner. Nothing here may change what is found:
beam.py, the search of the transformers library, is the reference that the tests compare with.
"""
