"""Recommendation by search: GPT-2 writes queries, Elasticsearch finds items."""
