"""Readers of shops' files: each record becomes a clean record, or a reject with line and reason."""
