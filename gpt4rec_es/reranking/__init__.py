"""Recommenders whose ID embeddings are joined with a GPT-2's reading of metadata."""
