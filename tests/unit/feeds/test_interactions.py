"""Conversion by column must equal conversion record by record."""

from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.interactions import _by_column, _by_record, _NotTextError, read_interactions

NOON = 1323435000

FIELDS = st.tuples(
    st.sampled_from(["ann", "bob", "", " x", "日本"]),
    st.sampled_from(["M1", "M2", "1", "01"]),
    st.sampled_from(["", str(NOON), f"{NOON}000", "2011-12-09", "5", "never"]),
    st.sampled_from(["", "0", "7", "-1"]),
    st.sampled_from(["", "4", "4.0", "nan"]),
)


def batch(*records: tuple[object, ...]) -> Batch:
    return Batch(
        list(range(2, 2 + len(records))),
        list(map(repr, records)),
        [(*record, ABSENT, ABSENT) for record in records],
    )


@given(st.lists(FIELDS, min_size=1, max_size=6), st.booleans())
def test_both_ways_say_the_same(records: list[tuple[object, ...]], by_file: bool) -> None:
    places = [*range(100, 100 + len(records))] if by_file else [None] * len(records)
    rows, rejects = _by_record(batch(*records), "f", Reading(), places)
    assert len(rows.lines) + len(rejects) == len(records)
    try:
        columns = _by_column(batch(*records), Reading(), places)
    except BadRecordError:
        assert rejects
        return
    assert not rejects
    for name in rows.__slots__:
        assert list(getattr(columns, name)) == list(getattr(rows, name))


def test_equal_numbers_of_other_types_are_not_taken_for_each_other() -> None:
    records = [("a", 1, None, 0, 1), ("a", True, None, 1, True), ("a", 1.0, None, 2, 1.0)]
    try:
        _by_column(batch(*records), Reading(), [None] * 3)
    except _NotTextError:
        pass
    else:
        raise AssertionError
    rows, rejects = read_interactions(batch(*records), "f")
    assert list(rows.item_ids) == ["1", "1"]
    assert [one.code for one in rejects] == ["bad_id"]


def test_absent_fields() -> None:
    records = [("a", "M1", ABSENT, "3", ABSENT), ("a", "M2", ABSENT, "4", ABSENT)]
    rows, rejects = read_interactions(batch(*records), "f")
    assert (list(rows.event_nos), list(rows.has_times)) == ([3, 4], [False, False])
    assert (list(rows.ordinals), list(rows.ratings)) == ([3, 4], [None, None])
    assert not rejects


def test_an_empty_batch_keeps_its_rejects() -> None:
    rows, rejects = read_interactions(Batch(), "f")
    assert (list(rows.lines), rejects) == ([], [])


def test_the_file_gives_an_order_only_where_the_record_has_none() -> None:
    records = [
        ("a", "M1", "", "", ""),
        ("a", "M1", str(NOON), "", ""),
        ("a", "M1", "", "5", ""),
    ]
    rows, rejects = read_interactions(batch(*records), "f", order="file", lines_before=10)
    assert not rejects
    assert list(rows.event_nos) == [12, NOON * 1_000_000, 5]
    assert list(rows.ordinals) == [12, 0, 5]
    assert list(rows.has_times) == [False, True, False]
