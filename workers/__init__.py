"""Celery workers; a message only tells a worker which run to drain."""
