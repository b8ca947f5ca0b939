"""Metrics for Prometheus, read from Postgres at the moment of a scrape."""
