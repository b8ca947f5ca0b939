"""Exact beam search that processes a prompt once; its beams share one key-value cache.

docs/beam-search.md explains why this works. Start with loop.py; selection, pool, mask and cache are
independent of each other, and linears.py computes the same numbers faster. The results must be
those of beam.py, the search of the transformers library; tests compare both.
"""
