"""Usable disk space below the watermarks, with known results."""

import pytest

from gpt4rec_es.elastic.disk import kept_free, readable

PREFIX = "cluster.routing.allocation.disk."
GB = 2**30


@pytest.mark.parametrize(
    ("settings", "watermark", "kept"),
    [
        ({}, "low", 15 * GB),
        ({}, "high", 10 * GB),
        ({"watermark.high": "80%"}, "high", 20 * GB),
        ({"watermark.high": "0.75"}, "high", 25 * GB),
        ({"watermark.high": "3gb"}, "high", 3 * GB),
        ({"watermark.high": "512mb"}, "high", GB // 2),
        ({"watermark.high": "90%", "watermark.high.max_headroom": "4GB"}, "high", 4 * GB),
        ({"watermark.high": "90%", "watermark.high.max_headroom": "150gb"}, "high", 10 * GB),
        ({"watermark.high": "90%", "watermark.high.max_headroom": "-1"}, "high", 10 * GB),
        ({"threshold_enabled": "false", "watermark.high": "80%"}, "high", 0),
    ],
)
def test_what_is_to_be_left_free(settings: dict[str, str], watermark: str, kept: int) -> None:
    flat = {PREFIX + name: value for name, value in settings.items()}
    assert kept_free(100 * GB, flat, watermark) == pytest.approx(kept, abs=1)


def test_bytes_are_shown_with_a_unit_that_fits() -> None:
    assert [readable(n) for n in (0, 1023, 1536, 5 * GB, 2**60)] == [
        "0 B",
        "1023 B",
        "1.5 KB",
        "5.0 GB",
        "1024.0 PB",
    ]
