"""Importing interactions: events, users, order, and what a repeated or corrected file changes."""

import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.catalog.import_job import ImportReport, ImportStoppedError
from gpt4rec_es.db.rows.history import stream_histories
from gpt4rec_es.feeds.formats import Formats
from tests.databases import Database

SAMPLES = Path(__file__).parents[1] / "data" / "feeds"
HEADER = "user_id,item_id,ordinal,timestamp,rating\n"
EVENTS = (
    "SELECT user_id, item_id, event_no, ordinal, event_at, rating, i.version "
    "FROM interactions AS i JOIN users USING (user_no) JOIN items USING (item_no) "
    "ORDER BY user_no, event_no, ordinal"
)


class Histories:
    """A shop with items M1 to M5; imports texts as files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.engine = database.engine
        self.path = folder / "events.csv"
        import_items(self.engine, [SAMPLES / "own_items.csv"], actor="tester")

    def load(self, content: str, **options: Any) -> ImportReport:
        self.path.write_text(content)
        return import_interactions(self.engine, [self.path], actor="tester", **options)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    @property
    def versions(self) -> tuple[int, int]:
        found = self.query("SELECT catalog_version, history_version FROM catalog_state")[0]
        return found[0], found[1]

    def history(self, user_id: str) -> list[str | None]:
        """Return the titles of a user's history."""
        with self.engine.connect() as connection, connection.begin():
            histories = {user: items for _, user, items in stream_histories(connection)}
        return [title for _, title, _ in histories[user_id]]


@pytest.fixture
def histories(database: Database, tmp_path: Path) -> Histories:
    return Histories(database, tmp_path)


def test_what_is_stored(histories: Histories) -> None:
    path = SAMPLES / "own_interactions.csv"
    report = import_interactions(histories.engine, [path], actor="tester")
    assert (report.records, report.inserted, report.users_created) == (4, 4, 2)
    assert report.version == 1
    assert histories.versions == (1, 1)
    at = dt.datetime(2010, 3, 2, 13, 8, tzinfo=dt.UTC)
    later = dt.datetime(2011, 12, 9, 12, 50, tzinfo=dt.UTC)
    assert histories.query(EVENTS) == [
        ("ann", "M1", 1267535280_000_000, 0, at, None, 1),
        ("ann", "M2", 1267535280_000_000, 1, at, None, 1),
        ("bob", "M1", 1323435000_000_000, 0, later, 4.5, 1),
        ("bob", "M3", 1323435000_000_000, 1, later, 5.0, 1),
    ]
    assert histories.query("SELECT user_id FROM users ORDER BY user_no") == [("ann",), ("bob",)]


def test_again_changes_nothing(histories: Histories) -> None:
    content = HEADER + "ann,M1,0,1323435000,\nann,M2,1,1323435000,4.2\nbob,M1,0,,\n"
    histories.load(content)
    before = histories.query("SELECT xmin::text, ctid::text, * FROM interactions ORDER BY 1, 2")
    report = histories.load(content)
    assert (report.inserted, report.updated, report.unchanged) == (0, 0, 3)
    assert (report.users_created, report.version) == (0, 1)
    after = histories.query("SELECT xmin::text, ctid::text, * FROM interactions ORDER BY 1, 2")
    assert after == before


def test_more_events_raise_the_version_and_old_ones_keep_theirs(histories: Histories) -> None:
    histories.load(HEADER + "ann,M1,0,1323435000,\n")
    report = histories.load(HEADER + "ann,M1,0,1323435000,\nann,M1,0,1323435001,\ncat,M2,5,,\n")
    assert (report.inserted, report.unchanged, report.users_created) == (2, 1, 1)
    assert [row[:3] + row[6:] for row in histories.query(EVENTS)] == [
        ("ann", "M1", 1323435000_000_000, 1),
        ("ann", "M1", 1323435001_000_000, 2),
        ("cat", "M2", 5, 2),
    ]
    assert histories.versions == (1, 2)


def test_a_correction_keeps_the_version_of_its_event(histories: Histories) -> None:
    """A run that reads events up to version 1 must still read this one."""
    histories.load(HEADER + "ann,M1,0,1323435000,3\nann,M2,1,1323435000,3\n")
    report = histories.load(HEADER + "ann,M1,2,1323435000,5\nann,M2,1,1323435000,3\n")
    assert (report.inserted, report.updated, report.unchanged) == (0, 1, 1)
    assert histories.versions == (1, 2)
    assert [(row[1], row[3], row[5], row[6]) for row in histories.query(EVENTS)] == [
        ("M2", 1, 3.0, 1),
        ("M1", 2, 5.0, 1),
    ]


def test_equal_keys_in_one_file_are_one_event_the_last(histories: Histories) -> None:
    report = histories.load(HEADER + "ann,M1,0,1323435000,1\n" * 3 + "ann,M1,0,1323435000,2\n")
    assert (report.accepted, report.inserted, report.duplicates) == (4, 1, 3)
    assert [row[5] for row in histories.query(EVENTS)] == [2.0]


def test_order_by_time_then_ordinal_or_by_ordinal_alone(histories: Histories) -> None:
    histories.load(
        HEADER
        + "ann,M2,1,1323435000,\nann,M1,2,1323435000,\nann,M4,0,1323435001,\nann,M3,0,1323435000,\n"
        + "bob,M4,7,,\nbob,M1,9,,\nbob,M2,8,,\n"
    )
    mug, large, cup, tasse = "Blue Mug", 'Mug, "large"', "Rosé Cup & Saucer", "schöne Tasse"
    assert histories.history("ann") == [cup, large, mug, tasse]
    assert histories.history("bob") == [tasse, large, mug]


def test_without_time_and_ordinal_the_file_may_give_the_order(
    histories: Histories, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("user_id,item_id\nann,M2\n\nann,M1\n")
    second.write_text("user_id,item_id\nann,M3\n")
    with pytest.raises(ImportStoppedError, match="no_order"):
        import_interactions(histories.engine, [first], actor="tester")
    for _ in range(2):
        report = import_interactions(
            histories.engine, [first, second], actor="tester", order="file"
        )
    assert report.unchanged == 3
    assert [row[1:4] for row in histories.query(EVENTS)] == [
        ("M2", 2, 2),
        ("M1", 4, 4),
        ("M3", 6, 6),
    ]


def test_unknown_items_are_rejects(histories: Histories) -> None:
    rows = "".join(f"ann,M1,{n},,\n" for n in range(199))
    report = histories.load(HEADER + rows + "new,nowhere,0,1323435000,\n")
    assert (report.inserted, report.rejected, report.users_created) == (
        199,
        {"unknown_item": 1},
        1,
    )
    assert histories.query("SELECT line, reason_code, reason, excerpt FROM import_rejects") == [
        (201, "unknown_item", "the catalog has no item 'nowhere'", "new,nowhere,0,1323435000,")
    ]
    assert histories.query("SELECT user_id FROM users") == [("ann",)]


def test_rejects_of_all_kinds_are_in_order_of_their_lines(histories: Histories) -> None:
    good_and_bad = "ann,nowhere,0,,\n,M1,0,,\nann,M1\nann,M1,0,,\n"
    with pytest.raises(ImportStoppedError) as caught:
        histories.load(HEADER + good_and_bad + "ann,M1,x,,\nann,M1,,never,\nann,M1,,,\n")
    found = histories.query(
        "SELECT reject_no, line, reason_code FROM import_rejects ORDER BY reject_no"
    )
    assert found == [
        (1, 2, "unknown_item"),
        (2, 3, "missing_id"),
        (3, 4, "field_count"),
        (4, 6, "bad_ordinal"),
        (5, 7, "bad_time"),
        (6, 8, "no_order"),
    ]
    assert caught.value.report is not None
    assert [one.line for one in caught.value.report.first_rejects] == [2, 3, 4, 6, 7, 8]
    assert histories.query("SELECT count(*) FROM users") == [(0,)]


def test_a_dry_run_counts_and_changes_nothing(histories: Histories) -> None:
    histories.load(HEADER + "ann,M1,0,1323435000,1\nann,M2,0,1323435000,1\n")
    before = histories.query(EVENTS)
    report = histories.load(
        HEADER + "ann,M1,0,1323435000,1\nann,M2,0,1323435000,2\nbob,M1,0,1,\nbob,M1,1,,\n",
        dry_run=True,
        formats=Formats(time_unit="s"),
    )
    assert (report.inserted, report.updated, report.unchanged) == (2, 1, 1)
    assert (report.users_created, report.import_no) == (1, None)
    assert histories.query(EVENTS) == before
    assert histories.query("SELECT count(*) FROM users") == [(1,)]
    assert histories.query("SELECT count(*) FROM imports") == [(2,)]
    assert histories.versions == (1, 1)


@pytest.mark.parametrize(
    ("metadata", "reviews"),
    [
        ("amazon2014_metadata.json", "amazon2014_reviews.json"),
        ("amazon2018_metadata.json", "amazon2018_reviews.json"),
        ("amazon2023_metadata.jsonl", "amazon2023_reviews.jsonl"),
        ("amazon2023_metadata.jsonl", "amazon2023_ratings.csv"),
    ],
)
def test_the_amazon_shapes(histories: Histories, metadata: str, reviews: str) -> None:
    items = import_items(histories.engine, [SAMPLES / metadata], actor="tester")
    events = import_interactions(histories.engine, [SAMPLES / reviews], actor="tester")
    assert (items.inserted, events.inserted) == (3, 2)
    assert [row[:2] for row in histories.query(EVENTS)] == [
        ("A1SAMPLE", "S000000001"),
        ("A2SAMPLE", "S000000002"),
    ]


def test_imports_at_the_same_time_apply_one_after_the_other(
    histories: Histories, tmp_path: Path
) -> None:
    """Overlapping events in opposite orders: no deadlock, no lost event, each has its version."""
    reports: list[ImportReport] = []

    def load(number: int) -> None:
        own = range(1000 * (number + 1), 1000 * (number + 2))
        events = [f"user{n},M{n % 5 + 1},{n},,\n" for n in [*range(1000), *own]]
        path = tmp_path / f"{number}.csv"
        path.write_text(HEADER + "".join(events if number % 2 else reversed(events)))
        reports.append(import_interactions(histories.engine, [path], actor="tester"))

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.version or 0 for report in reports) == [1, 2, 3, 4]
    assert sum(report.inserted for report in reports) == 5000
    by_version = "SELECT version, count(*) FROM interactions GROUP BY 1 ORDER BY 1"
    assert histories.query(by_version) == [
        (report.version, report.inserted)
        for report in sorted(reports, key=lambda one: one.version or 0)
    ]
    assert histories.query("SELECT count(*), count(DISTINCT user_id) FROM users") == [(5000, 5000)]


def test_more_items_than_are_kept_in_memory(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt4rec_es.catalog.import_interactions._KEPT_ITEMS", 2)
    rows = [f"user{n},M{n % 5 + 1},{n},,\n" for n in range(20_000)]
    assert histories.load(HEADER + "".join(rows)).inserted == 20_000


def test_many_new_rows_are_known_to_the_planner_at_once(histories: Histories) -> None:
    # Without statistics, Postgres plans for an empty table.
    rows = "".join(f"u{n},M1,{n},,\n" for n in range(1200))
    assert histories.load(HEADER + rows).inserted == 1200
    assert histories.query(
        "SELECT relname, reltuples::int FROM pg_class "
        "WHERE relkind = 'r' AND relname IN ('interactions', 'users') ORDER BY 1"
    ) == [("interactions", 1200), ("users", 1200)]
