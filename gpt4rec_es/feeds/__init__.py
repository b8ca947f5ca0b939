"""Readers of shops' files: each record comes out clean, or as a reject with place and reason."""
