"""Short ways to write metric families, so that the parts read as lists of what they show.

Names and help texts are the parts'; nothing here reads anything.
"""

from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


def gauge(name: str, help_text: str, value: Any) -> Metric:
    """Return a gauge without labels; ``value`` is a number as the database has it."""
    return GaugeMetricFamily(name, help_text, float(value))


def gauges_by(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    """Return a gauge by ``label``, a value of which is a key of ``values``."""
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def counter(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    """Return a counter by ``label``; label "" is one without labels, its value under ""."""
    family = CounterMetricFamily(name, help_text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
