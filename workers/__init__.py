"""Celery workers: the doorbell of the night; task bodies call one function each."""
