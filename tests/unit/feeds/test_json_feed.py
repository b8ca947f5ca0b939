"""JSON lines and Python literals, valid and malformed."""

from pathlib import Path

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.batches import BadRecordError
from gpt4rec_es.feeds.json_feed import parse_object
from gpt4rec_es.feeds.literals import parse_literal
from gpt4rec_es.feeds.opening import open_feed
from tests.unit.feeds.reading import SAMPLES, items_of

GOOD = [b'{"item_id": "%d", "title": "Mug"}' % n for n in range(20)]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"", None),
        (b"   \r", None),
        (b"garbage", "bad_json"),
        (b'{"item_id": "x"', "bad_json"),
        (b'{"item_id": "x", "title": "M\xfcg"}', "not_utf8"),
        (b'{"item_id": "x", "title": "a\x00b"}', "bad_json"),
        (b'{"item_id": "x", "price": NaN}', "bad_json"),
        (b'{"item_id": "x", "price": -Infinity}', "bad_json"),
        (b'{"item_id": "x", "price": 1e999}', "bad_price"),
        (b'{"item_id": "x", "price": ' + b"9" * 5000 + b"}", "bad_json"),
        (b'{"item_id": "x", "price": ' + b"9" * 400 + b"}", "bad_price"),
        (b'{"item_id": "x", "item_id": "y"}', "duplicate_key"),
        (b'{"item_id": "x", "more": {"a": 1, "a": 2}}', "duplicate_key"),
        (b'{"item_id": "x", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'["x"]', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"title": "Mug"}', "missing_id"),
        (b'{"item_id": null, "title": "Mug"}', "missing_id"),
        (b'{"item_id": "x\\u0000y"}', "bad_id"),
        (b'{"item_id": "x\\ud800"}', "bad_id"),
        (b'{"item_id": "x", "title": {"en": "Mug"}}', "bad_text"),
        (b'{"item_id": "x", "title": true}', "bad_text"),
        (b'{"item_id": "x", "title": "' + b"m" * 10_001 + b'"}', "field_too_long"),
        (b'{"item_id": "x", "brand": "' + b"m" * 2001 + b'"}', "field_too_long"),
        (b'{"item_id": "x", "active": "perhaps"}', "bad_flag"),
        (b'{"item_id": "x", "more": "' + b"m" * 5_000_000 + b'"}', "record_too_long"),
        (b"{'item_id': 'x'}", "bad_json"),  # a literal, in a file of JSON
    ],
)
def test_a_broken_line_costs_itself_alone(tmp_path: Path, broken: bytes, code: str | None) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n".join([*GOOD[:10], broken, *GOOD[10:]]))
    items, rejects = items_of(path, wanted="own")
    assert [item.item_id for item in items] == [str(n) for n in range(20)]
    assert [(reject.line, reject.code) for reject in rejects] == [(11, code)] * (code is not None)
    assert all(reject.reason.isprintable() for reject in rejects)


def test_the_first_line_may_be_the_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n".join([b"garbage", *GOOD]))
    items, rejects = items_of(path)
    assert (len(items), [reject.line for reject in rejects]) == (20, [1])


def test_odd_titles_are_stored_in_storable_form(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'{"item_id": "x", "title": "a\\u0000b \\ud800 \\ud83d\\ude00 \\u202ec"}\n')
    item = items_of(path)[0][0]
    assert item.title == "ab \ufffd \U0001f600 c"
    assert item.title_raw == "a\ufffdb \ufffd \U0001f600 \u202ec"


def test_a_json_array_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_bytes(b'[{"item_id": "x"}]')
    with pytest.raises(UsageError, match="one object per line"):
        open_feed(path)


def test_literals_are_read_only_where_the_file_is_of_them() -> None:
    items, _ = items_of(SAMPLES / "amazon2014_metadata.json")
    assert len(items) == 3


def test_broken_literals_cost_themselves_alone(tmp_path: Path) -> None:
    good = [b"{'asin': '%d', 'title': 'Mug', 'categories': [['A']]}" % n for n in range(20)]
    broken = [
        b"{'asin': 'x', 'title': 'Mug}",
        b"{'asin': 'x', 'title': __import__('os')}",
        b"{'asin': 'x', 'categories': " + b"[" * 100_000,
        b'{"asin": "j", "title": "JSON among them"}',
    ]
    path = tmp_path / "meta.json"
    path.write_bytes(b"\n".join([*good[:10], *broken, *good[10:]]))
    items, rejects = items_of(path)
    assert [item.item_id for item in items] == [*map(str, range(10)), "j", *map(str, range(10, 20))]
    assert [(reject.line, reject.code) for reject in rejects] == [
        (11, "bad_literal"),
        (12, "bad_literal"),
        (13, "too_deep"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (
            "{'a': 1, \"b\": [2.5, -3, None, True, False],}",
            {"a": 1, "b": [2.5, -3, None, True, False]},
        ),
        ("[(), (1,), [[]]]", [[], [1], [[]]]),
        (r"'it\'s \x41 \u00e9 \U0001f600 \101 \n \q \\'", "it's A é \U0001f600 A \n \\q \\"),
        ("u'old'", "old"),
        (" 1e3 ", 1000.0),
        ("''", ""),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert parse_literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1 2]",
        "{'a' 1}",
        "{1: 2}",
        "{'a': 1, 'a': 2}",
        "{1, 2}",
        "'a' 'b'",
        "1 + 1",
        "-" * 100_000 + "1",
        "9" * 5000,
        "1.2.3",
        "b'x'",
        "f'{x}'",
        "open('x')",
        "lambda: 0",
        "True or False",
        "'\n'",
        "{'a': ...}",
        "[" * 33 + "]" * 33,
        "(" * 1_000_000,
        "'" + "\\" * 1_000_001 + "'",
    ],
)
def test_what_is_no_literal(text: str) -> None:
    with pytest.raises(BadRecordError):
        parse_literal(text)


def test_a_long_literal_takes_time_in_proportion() -> None:
    text = "[" + "'x', " * 200_000 + "]"
    assert parse_literal(text) == ["x"] * 200_000


def test_json_numbers_keep_their_kind() -> None:
    assert parse_object(b'{"a": 1, "b": 1.0, "c": "1"}') == {"a": 1, "b": 1.0, "c": "1"}
