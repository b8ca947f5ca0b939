"""Exact beam search in which a prompt is read once and its beams share one key-value cache.

docs/beam-search.md says why this works. Read loop.py first; selection, pool, mask and cache are
independent of each other, and linears.py computes the same numbers faster. Nothing here may change
what is found: beam.py, the search of the transformers library, is the reference that the tests
compare with.
"""
