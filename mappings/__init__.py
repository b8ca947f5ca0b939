"""Elasticsearch settings and mappings as JSON, see README.md here."""
