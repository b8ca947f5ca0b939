"""The extension of an export's file decides its format, and contradictions are refused."""

from pathlib import Path

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.exports.formats import QREL_EXTENSIONS, choose_format

LISTS = ("jsonl", "csv", "parquet", "trec")
QRELS = ("trec", "rre", "quepid", "rank-eval")


@pytest.mark.parametrize(
    ("name", "fmt", "expected"),
    [
        ("r.csv", None, "csv"),
        ("R.CSV", None, "csv"),
        ("r.parquet", None, "parquet"),
        ("r.ndjson", None, "jsonl"),
        ("r.trec", None, "trec"),
        ("r", None, "jsonl"),
        ("r.2026-11-22", None, "jsonl"),
        ("r", "csv", "csv"),
        ("r.txt", "csv", "csv"),
        ("r.csv", "csv", "csv"),
        (None, None, "jsonl"),
        (None, "csv", "csv"),
    ],
)
def test_format_of_lists(name: str | None, fmt: str | None, expected: str) -> None:
    assert choose_format(fmt, None if name is None else Path(name), LISTS) == expected


@pytest.mark.parametrize(
    ("name", "fmt", "known"),
    [
        ("r.csv", "jsonl", LISTS),
        ("r.jsonl", "parquet", LISTS),
        ("r.trec", None, LISTS[:-1]),
        ("r.json", None, LISTS),
        ("r.xlsx", None, LISTS),
        ("r.csv.gz", "csv", LISTS),
        ("r.csv", None, ("trec",)),
    ],
)
def test_a_contradicting_extension_is_refused(
    name: str, fmt: str | None, known: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="is named as a"):
        choose_format(fmt, Path(name), known)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("q.qrels", "trec"), ("q.csv", "quepid"), ("q.json", "rre"), ("q.jsonl", "rank-eval")],
)
def test_format_of_held_out_items(name: str, expected: str) -> None:
    assert choose_format(None, Path(name), QRELS, QREL_EXTENSIONS) == expected
    for other in set(QRELS) - {expected}:
        with pytest.raises(UsageError, match="--format is"):
            choose_format(other, Path(name), QRELS, QREL_EXTENSIONS)
