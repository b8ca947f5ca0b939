"""Exported metrics of what users bought after nights; only sums are read."""

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from gpt4rec_es.db.rows.quality_shown import first_days, newest
from gpt4rec_es.exporter.collector import gauge
from gpt4rec_es.metrics.decline import DATES, Night, decline

_KIND = "nightly"
# A run is measured for 35 days, so the newest complete one at each age is among these.
_MOST_RUNS = 45


def quality(connection: Connection) -> list[Metric]:
    """Return what users bought of the lists of the newest measured night, by age of its lists."""
    label = ["days", "list"]
    rates = GaugeMetricFamily(
        "gpt4rec_quality_hit_rate",
        "Part of the users that bought something new and had it in the list.",
        labels=label,
    )
    recalls = GaugeMetricFamily(
        "gpt4rec_quality_recall", "Mean part of what a user bought new in the list.", labels=label
    )
    users = GaugeMetricFamily(
        "gpt4rec_quality_users", "Users that bought something new.", labels=label[:1]
    )
    measured = GaugeMetricFamily(
        "gpt4rec_quality_measured_timestamp_seconds", "When it was measured.", labels=label[:1]
    )
    shown: set[str] = set()
    for one in newest(connection, _KIND, _MOST_RUNS):
        days = str(one.measured.age_days)
        if days in shown or not one.measured.is_complete:
            continue
        shown.add(days)
        users.add_metric([days], float(one.measured.n_users))
        measured.add_metric([days], one.measured.measured_at.timestamp())
        for figure in one.figures:
            if figure.hit_rate is not None and figure.recall is not None:
                rates.add_metric([days, figure.method], figure.hit_rate)
                recalls.add_metric([days, figure.method], figure.recall)
    found = decline([Night(*day) for day in first_days(connection, _KIND, DATES)])
    is_declined = bool(found and found.is_declined)
    worse = found.worse if found else 0
    return [
        *(rates, recalls, users, measured),
        gauge("gpt4rec_quality_worse_nights", "Of the newest 7, against a week before.", worse),
        gauge("gpt4rec_quality_declined", "1: they are worse by more than chance.", is_declined),
    ]
