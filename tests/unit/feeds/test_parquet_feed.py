"""Parquet columns of valid and invalid types."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.opening import open_feed
from tests.unit.feeds.reading import interactions_of, items_of

NOON = 1323435000
S = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.parquet"


def write(path: Path, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([NOON], pa.int64()),
        pa.array([NOON * 1000], pa.int64()),
        pa.array([float(NOON)], pa.float64()),
        pa.array([NOON], pa.timestamp("s")),
        pa.array([NOON * 1000], pa.timestamp("ms")),
        pa.array([NOON * S], pa.timestamp("us", tz="UTC")),
        pa.array([NOON * S], pa.timestamp("us", tz="Asia/Tokyo")),
        pa.array([NOON * S * 1000 + 1], pa.timestamp("ns")),
        pa.array(["2011-12-09T12:50:00"], pa.string()),
        pa.array([datetime(2011, 12, 9, 12, 50, tzinfo=UTC)]),
    ],
    ids=str,
)
def test_times_of_every_type(path: Path, times: Any) -> None:
    write(path, user_id=["u"], item_id=["i"], timestamp=times)
    assert interactions_of(path) == ([("u", "i", NOON * S, True, 0, None)], [])


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_dates(path: Path, kind: Any) -> None:
    write(path, user_id=["u"], item_id=["i"], timestamp=pa.array([date(2011, 12, 9)], kind))
    assert interactions_of(path)[0][0][2] == (NOON - 12 * 3600 - 50 * 60) * S


@pytest.mark.parametrize(
    ("times", "code"),
    [
        (pa.array([2**62], pa.timestamp("ms")), "time_out_of_range"),
        (pa.array([-(2**62)], pa.timestamp("us")), "time_out_of_range"),
        (pa.array([[NOON]]), "bad_time"),
        (pa.array([True]), "bad_time"),
        (pa.array([float("nan")]), "no_order"),
        (pa.array([float("inf")]), "time_out_of_range"),
        (pa.array([None], pa.null()), "no_order"),
        (pa.array([{"a": 1}]), "bad_time"),
    ],
    ids=str,
)
def test_wrong_times_are_rejects(path: Path, times: Any, code: str) -> None:
    write(path, user_id=["u"], item_id=["i"], timestamp=times)
    rows, rejects = interactions_of(path)
    assert (rows, [(one.line, one.code) for one in rejects]) == ([], [(1, code)])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([17], pa.int32()), "17"),
        (pa.array([b"A1"], pa.binary()), "A1"),
        (pa.array(["A1"], pa.large_string()), "A1"),
        (pa.array(["A1"]).dictionary_encode(), "A1"),
        (pa.array([1.5]), "bad_id"),
        (pa.array([None], pa.string()), "missing_id"),
        (pa.array([b"\xff"], pa.binary()), "not_utf8"),
        (pa.array([["A1"]]), "bad_id"),
        (pa.array([Decimal("1")]), "bad_id"),
        (pa.array([date(2011, 1, 1)]), "bad_id"),
    ],
    ids=str,
)
def test_ids_of_every_type(path: Path, ids: Any, expected: str) -> None:
    write(path, item_id=ids, title=["Mug"])
    items, rejects = items_of(path)
    assert [one.item_id for one in items] + [one.code for one in rejects] == [expected]


def test_text_that_is_not_utf8_costs_its_row_alone(path: Path) -> None:
    titles = [b"Mug"] * 10_000
    titles[7777] = b"M\xfcg"
    bad = pa.Array.from_buffers(pa.string(), len(titles), pa.array(titles, pa.binary()).buffers())
    write(path, item_id=[str(n) for n in range(10_000)], title=bad)
    items, rejects = items_of(path)
    assert len(items) == 9999
    assert [(one.line, one.code) for one in rejects] == [(7778, "bad_value")]
    assert "'7777'" in rejects[0].excerpt


def test_line_numbers_go_on_over_batches_and_row_groups(path: Path) -> None:
    table = pa.table({"item_id": [str(n) for n in range(20_000)] + [""], "title": ["Mug"] * 20_001})
    pq.write_table(table, path, row_group_size=3000)
    items, rejects = items_of(path)
    assert (len(items), rejects[0].line) == (20_000, 20_001)


def test_the_position_ends_at_the_size(path: Path) -> None:
    write(path, item_id=["a"] * 20_000, title=["Mug"] * 20_000)
    feed = open_feed(path)
    for _ in feed.batches([["item_id"], ["title"], ["brand"]]):
        pass
    assert feed.position == feed.size == path.stat().st_size
    feed.close()


def test_no_rows(path: Path) -> None:
    write(path, item_id=pa.array([], pa.string()), title=pa.array([], pa.string()))
    assert items_of(path) == ([], [])


@pytest.mark.parametrize("kept", [4, 100, -1, -100])
def test_a_damaged_file_is_an_error(path: Path, kept: int) -> None:
    write(path, item_id=[str(n) for n in range(1000)], title=["Mug"] * 1000)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="no Parquet file"):
        items_of(path)


def test_damaged_pages_are_an_error(path: Path) -> None:
    write(path, item_id=[str(n) for n in range(1000)], title=["Mug"] * 1000)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(DataError, match="no Parquet file"):
        items_of(path)


def test_a_time_is_no_price(path: Path) -> None:
    write(path, item_id=["a", "b"], price=pa.array([5, None], pa.timestamp("us")))
    items, rejects = items_of(path)
    assert [(one.item_id, one.price) for one in items] == [("b", None)]
    assert [(one.code, one.reason) for one in rejects] == [("bad_price", "a time is no price")]


def test_a_column_that_is_there_twice(path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array(["Mug"]), pa.array(["Cup"])], names=["item_id", "title", "title"]
    )
    pq.write_table(table, path)
    with pytest.raises(UsageError, match="2 columns named title"):
        items_of(path)
    items, _ = items_of(path, wanted="own", title="")
    assert [one.item_id for one in items] == ["a"]


def test_ids_in_a_column_of_floats(path: Path) -> None:
    write(path, user_id=[1.0, None], item_id=["a", "b"], ordinal=[1, 2])
    rows, rejects = interactions_of(path)
    assert [row[0] for row in rows] == ["1"]
    assert [one.code for one in rejects] == ["missing_id"]


def test_a_brand_from_the_first_column_that_has_one(path: Path) -> None:
    write(path, parent_asin=["a", "b"], store=["", "Acme"], details=['{"Brand": "Bolt"}', None])
    items, _ = items_of(path)
    assert [one.brand for one in items] == ["Bolt", "Acme"]
