"""Structured values, patterns of times, standard input and users, without a database."""

import io
from pathlib import Path

import pytest

from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import ABSENT, Batch
from gpt4rec_es.feeds.fields.structured import brand_of, levels_of, structure_in
from gpt4rec_es.feeds.formats import Formats, Reading
from gpt4rec_es.feeds.source import spool
from gpt4rec_es.feeds.times import is_pattern
from gpt4rec_es.feeds.users import read_users
from tests.unit.feeds.reading import items_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("['A' 'B']", ["A", "B"]),
        ("[array(['A', 'B'], dtype=object)\n array(['C'], dtype=object)]", [["A", "B"], ["C"]]),
        ("['it\\'s' \"x\"]", ["it's", "x"]),
        ("['A' B]", None),
        ("['A']]", None),
        ("[" * 20 + "'A' 'B'" + "]" * 20, None),
        ("text", None),
        ("[1, 2]", [1, 2]),
    ],
)
def test_structure_in_text(text: str, found: object) -> None:
    assert structure_in(text) == found


@pytest.mark.parametrize(
    ("value", "brand"),
    [
        (b'{"brand name": "Acme"}', "Acme"),
        ({"@type": "Brand", "name": "Acme"}, "Acme"),
        ({"id": 7, "name": "Acme"}, "Acme"),
        ("['A', 'B']", None),
        ("[x]", "[x]"),
        (["Acme"], "Acme"),
    ],
)
def test_brands(value: object, brand: object) -> None:
    assert brand_of(value) == brand


def test_levels() -> None:
    assert levels_of([{"name": "A"}, "B"]) == ["A", "B"]
    assert levels_of('{"name": "A"}') == "A"
    assert levels_of("['cut off") is None
    assert levels_of("[Sale] Shoes") == "[Sale] Shoes"


def test_patterns_of_times() -> None:
    assert is_pattern("%d.%m.%y %H:%M")
    assert not any(map(is_pattern, ("d.m.y", "%Q", "")))


def test_standard_input_is_copied_and_bounded(tmp_path: Path) -> None:
    assert spool(io.BytesIO(b"a,b\n"), tmp_path).read_bytes() == b"a,b\n"
    with pytest.raises(DataError, match="more than 3 bytes"):
        spool(io.BytesIO(b"a,b\n"), tmp_path, 3)


def test_users_and_their_attributes() -> None:
    records = [("7.0", b"x"), ("8", ABSENT), (None, 1), ("9", [1]), ("9", "x" * 2001)]
    batch = Batch([*range(5)], ["raw"] * 5, records)
    found = read_users(batch, "f", ("age",), Reading(integer_ids=frozenset({"user_id"})))
    assert found.users == [("7", '{"age": "x"}'), ("8", "{}")]
    assert [one.code for one in found.rejects] == ["missing_id", "bad_text", "field_too_long"]


def test_a_given_way_to_quote_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text('item_id,title\n1.0,"Mug"\n2,"Cup\n')
    items, rejects = items_of(path, formats=Formats(quoting="none", skip_items=["2"]))
    assert [(one.item_id, one.title) for one in items] == [("1", '"Mug"')]
    assert not rejects
