"""The Celery application: ``celery -A workers worker -Q generation`` finds ``app`` here."""

from celery import Celery

from workers.config import celery_config

app = Celery("gpt4rec", include=["workers.queries", "workers.recommendations", "workers.schedule"])
# Read when first needed, so that importing this module works without any settings.
app.add_defaults(celery_config)

import workers.signals  # noqa: E402, F401 - connects handlers; needs the app above
