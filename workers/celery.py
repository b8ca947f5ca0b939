"""The Celery application: ``celery -A workers worker -Q generation`` finds ``app`` here."""

from celery import Celery

import workers.signals  # noqa: F401 - connects its handlers
from gpt4rec_es.version import code_version
from workers.config import celery_config

app = Celery("gpt4rec", include=["workers.tasks"])
# Read when first needed, so that importing this module needs no settings.
app.add_defaults(celery_config)

# Computed now, in the parent: its children run this code, whatever is deployed later.
code_version()
