"""Beam search over the titles of a catalog: a query is a choice between titles, not a spelling.

Only tokens at which titles branch are decided; start with trie.py. docs/beam-search.md explains it.
"""
