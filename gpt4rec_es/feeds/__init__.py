"""Readers of shops' files: every record comes out clean or as a reject with its place and reason."""
