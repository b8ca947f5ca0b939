"""The Celery application: ``celery -A workers worker -Q generation`` finds ``app`` here."""

from celery import Celery

from gpt4rec_es.version import code_version
from workers.config import celery_config

app = Celery("gpt4rec", include=["workers.queries", "workers.recommendations", "workers.schedule"])
# Read when first needed, so that importing this module works without any settings.
app.add_defaults(celery_config)

# Now, in the parent: its children are of this code, whatever is deployed while they live.
code_version()

import workers.signals  # noqa: E402, F401 - connects handlers; needs the app above
