import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gpt4rec_es.db.copy import copy_rows, encode_chunks
from gpt4rec_es.db.errors import is_transient
from gpt4rec_es.records import Outcome
from tests.databases import Cluster, Database

COLUMNS = {
    "place": "int",
    "a_text": "text",
    "an_int": "bigint",
    "a_float": "float8",
    "a_bool": "boolean",
    "some_bytes": "bytea",
    "a_decimal": "numeric",
    "a_time": "timestamptz",
    "a_date": "date",
    "ints": "bigint[]",
    "floats": "float8[]",
    "texts": "text[]",
}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
nasty = st.sampled_from(
    ["", "\\N", "\\.", "\t", "\n", "\r\n", "\\", "a\\tb", '"', "{}", "NULL", "null", "{,}", " x "]
)
texts = texts | nasty
ints = st.integers(-(2**63), 2**63 - 1)
# hypothesis takes bounds without a zone
first, last = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001
instants = st.datetimes(first, last, timezones=st.just(UTC))
values = st.tuples(
    st.none() | texts,
    st.none() | ints,
    st.none() | st.floats(),
    st.none() | st.booleans(),
    st.none() | st.binary(),
    st.none() | st.decimals(places=6, min_value=-(10**12), max_value=10**12),
    st.none() | instants,
    st.none() | st.dates(),
    st.none() | st.lists(ints | st.none()),
    st.none() | st.lists(st.floats()),
    st.none() | st.lists(texts | st.none()),
)


@pytest.fixture(scope="module")
def table(module_database: Database) -> str:
    shape = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with module_database.owner_engine.begin() as connection:
        connection.execute(text(f"CREATE UNLOGGED TABLE copied ({shape})"))
        connection.execute(text("GRANT ALL ON copied TO gpt4rec_writer"))
    return "copied"


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(other, memoryview):
        return bool(one == bytes(other))
    return bool(one == other)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(values, max_size=12))
def test_every_value_comes_back_as_it_was(
    module_database: Database, table: str, rows: list[tuple[Any, ...]]
) -> None:
    numbered = [(place, *row) for place, row in enumerate(rows)]
    with module_database.engine.connect() as connection:  # rolled back at the end
        assert copy_rows(connection, table, list(COLUMNS), numbered) == len(rows)
        found = connection.execute(text("SELECT * FROM copied ORDER BY place")).all()
    assert len(found) == len(numbered)
    for got, wanted in zip(found, numbered, strict=True):
        assert all(map(same, wanted, got)), (got, wanted)


def roundtrip(database: Database, column: str, *given: Any) -> list[Any]:
    with database.engine.connect() as connection:
        copy_rows(connection, "public.copied", ["place", column], enumerate(given))
        statement = text(f"SELECT {column} FROM copied ORDER BY place")
        return list(connection.execute(statement).scalars())


def test_kinds_that_are_not_plain(module_database: Database, table: str) -> None:
    assert roundtrip(module_database, "a_text", Outcome.OK, "plain") == ["ok", "plain"]
    assert roundtrip(module_database, "an_int", np.int64(7), 8) == [7, 8]
    assert roundtrip(module_database, "a_float", np.float64(0.1), 2, np.float32(0.5)) == [
        0.1,
        2.0,
        0.5,
    ]
    assert roundtrip(module_database, "a_bool", np.bool_(True), False) == [True, False]
    assert roundtrip(module_database, "ints", np.array([1, 2]), (), (np.int32(3),)) == [
        [1, 2],
        [],
        [3],
    ]
    assert roundtrip(module_database, "floats", [1, 0.5, None], np.array([0.25])) == [
        [1.0, 0.5, None],
        [0.25],
    ]
    east = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=2)))
    assert roundtrip(module_database, "a_time", east) == [datetime(2026, 1, 1, 1, tzinfo=UTC)]
    assert roundtrip(module_database, "a_date", date(2026, 1, 1)) == [date(2026, 1, 1)]
    assert roundtrip(module_database, "a_decimal", Decimal("1E+3"), 5) == [1000, 5]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([(1, "a\0b")], ValueError, "a_text: a text holds NUL"),
        ([(1, "\ud800")], ValueError, "surrogates"),
        ([(1, "a", 3)], ValueError, "3 values for 2 columns"),
        ([(1, "a"), (2,)], ValueError, "zip"),
        ([(1, {"a": 1})], TypeError, "a_text: dict cannot be copied"),
        ([(1, [b"x"])], TypeError, "a_text: arrays of bytes"),
        ([(1, first)], ValueError, "a_text: a datetime has no time zone"),
    ],
)
def test_what_cannot_be_stored_raises_its_own_error_and_stores_nothing(
    module_database: Database, table: str, rows: Any, error: type[Exception], message: str
) -> None:
    with module_database.engine.connect() as connection:
        with pytest.raises(error, match=message):
            copy_rows(connection, table, ["place", "a_text"], rows)
        connection.rollback()
        assert connection.execute(text("SELECT count(*) FROM copied")).scalar_one() == 0


def test_an_error_of_the_source_comes_through(module_database: Database, table: str) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield (1, "one")
        raise LookupError("the source broke")

    with module_database.engine.connect() as connection, pytest.raises(LookupError, match="broke"):
        copy_rows(connection, table, ["place", "a_text"], rows())


def test_the_callers_transaction_decides(module_database: Database, table: str) -> None:
    # No statement was executed before, so SQLAlchemy has not begun a transaction yet.
    with module_database.engine.connect() as connection:
        copy_rows(connection, table, ["place"], [(1,), (2,)])
        connection.commit()
    with module_database.engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM copied")).scalar_one() == 2
        connection.execute(text("DELETE FROM copied"))


def test_errors_of_the_server_are_those_of_any_statement(
    module_database: Database, table: str
) -> None:
    with module_database.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        copy_rows(connection, "items", ["item_id", "version"], [("a", 1), ("a", 1)])
    assert not is_transient(caught.value)
    assert getattr(caught.value.orig, "pgcode", None) == "23505"


def test_a_connection_lost_in_the_middle_is_transient(
    module_database: Database, table: str, cluster: Cluster
) -> None:
    def rows(pid: int) -> Iterator[tuple[int, str]]:
        for place in range(100_000):
            if place == 50_000:
                with cluster.admin.connect() as admin:
                    kill = text("SELECT pg_terminate_backend(:pid, 5000)")
                    admin.execute(kill, {"pid": pid})
            yield (place, "x" * 50)

    def copy() -> None:
        with module_database.engine.begin() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            copy_rows(connection, table, ["place", "a_text"], rows(pid))

    with pytest.raises(DBAPIError) as caught:
        copy()
    assert is_transient(caught.value)
    with module_database.engine.connect() as connection:  # the pool has reconnected
        assert connection.execute(text("SELECT count(*) FROM copied")).scalar_one() == 0


def test_memory_is_bounded_and_rows_are_taken_as_they_are_needed() -> None:
    taken = 0

    def rows(width: int) -> Iterator[tuple[str]]:
        nonlocal taken
        for _ in range(3000):
            taken += 1
            yield ("x" * width,)

    for width in (10, 1000, 50_000):
        taken = 0
        sizes = []
        for chunk in encode_chunks(rows(width), ["a_text"]):
            sizes.append(len(chunk))
            assert taken * (width + 1) == sum(sizes), "no row is read ahead"
        assert max(sizes) < 4 << 20
        assert taken == 3000


def test_no_rows_are_no_error(module_database: Database, table: str) -> None:
    with module_database.engine.connect() as connection:
        assert copy_rows(connection, table, ["place"], []) == 0
