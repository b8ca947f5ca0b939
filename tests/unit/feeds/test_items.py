"""Item records: given fields, category paths, loose prices."""

from decimal import Decimal

import pytest

from gpt4rec_es.feeds.batches import ABSENT, Batch, Micros
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.items import (
    BRAND,
    CATEGORY,
    DESCRIPTION,
    MAX_DESCRIPTION,
    PRICE,
    TITLE,
    Item,
    ItemBatch,
    read_items,
)

NONE = (ABSENT,) * 6


def read(*fields: object, loose: bool = False) -> ItemBatch:
    record = ["x", *fields, *NONE[len(fields) :]]
    return read_items(Batch([7], ["raw"], [record]), "f", Reading(loose_prices=loose))


def described(value: object) -> str | None:
    return item(*NONE[:5], value).description


def item(*fields: object, loose: bool = False) -> Item:
    found = read(*fields, loose=loose)
    assert not found.rejects
    return found.items[0]


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize(
    ("place", "bit"), [(0, TITLE), (1, BRAND), (2, CATEGORY), (3, PRICE), (5, DESCRIPTION)]
)
def test_an_empty_field_is_given_an_absent_one_is_not(
    place: int, bit: int, empty: str | None
) -> None:
    assert item(*NONE).given == 0
    fields = [*NONE]
    fields[place] = empty
    assert item(*fields) == Item("x", None, None, None, None, None, None, bit)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("Kitchen > Mugs", "Kitchen > Mugs"),
        (["Kitchen", "Mugs"], "Kitchen > Mugs"),
        ([["Kitchen", "Mugs"], ["Gifts"]], "Kitchen > Mugs | Gifts"),
        ([["Kitchen", " Mugs &amp; Cups "], []], "Kitchen > Mugs & Cups"),
        (["Kitchen", "</span>", "", None], "Kitchen"),
        ([], None),
        ([[]], None),
        ("nan", None),
        ([["x" * 1500], ["y" * 1500], ["z"]], "x" * 1500 + " | z"),
    ],
)
def test_categories(value: object, path: str | None) -> None:
    assert item("Mug", ABSENT, value, ABSENT, ABSENT).category == path


@pytest.mark.parametrize(
    ("value", "brand"),
    [
        ("Acme", "Acme"),
        (" Acme\n&amp; Sons ", "Acme & Sons"),
        ({"Brand": "Acme", "Weight": "1 kg"}, "Acme"),
        ({"Weight": "1 kg"}, None),
        ({}, None),
        ("N/A", None),
        (3, "3"),
    ],
)
def test_brands(value: object, brand: str | None) -> None:
    assert item("Mug", value, ABSENT, ABSENT, ABSENT).brand == brand


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<p>Soft &amp; <b>warm</b>.</p>\n<ul><li>Wool</li></ul>", "Soft & warm. Wool"),
        (["Soft.", "", None, "<p>Warm.</p>"], "Soft. Warm."),
        ('["Soft.", "Warm."]', "Soft. Warm."),
        ("[New] Soft.", "[New] Soft."),
        ("['Soft.', 'War", None),
        ({"text": "Soft."}, None),
        ("<script>var x = 1;</script>", None),
        ("N/A", None),
        ("", None),
        (b"Soft.", "Soft."),
    ],
)
def test_descriptions(value: object, text: str | None) -> None:
    assert described(value) == text


@pytest.mark.parametrize("value", ["wool " * 50_000, ["wool " * 50_000], "<br/>wool " * 50_000])
def test_a_long_description_ends_after_a_word(value: object) -> None:
    found = described(value)
    assert found is not None
    assert set(found.split()) == {"wool"}
    assert MAX_DESCRIPTION - 5 <= len(found) <= MAX_DESCRIPTION
    assert described(found) == found


def test_a_description_without_spaces_and_one_that_ends_at_the_limit() -> None:
    assert described("\u7f8a" * 9_000) == "\u7f8a" * MAX_DESCRIPTION
    exact = "wool " * (MAX_DESCRIPTION // 5 - 1) + "mohai"
    assert described(f"{exact} and more") == exact


def test_loose_prices() -> None:
    for junk in ("from 5.00", "$5 - $9", -1, ["5"]):
        assert item("Mug", ABSENT, ABSENT, junk, ABSENT, loose=True).price is None
        assert read("Mug", ABSENT, ABSENT, junk, ABSENT).rejects[0].code == "bad_price"
    assert item("Mug", ABSENT, ABSENT, "$5.00", ABSENT, loose=True).price == Decimal(5)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (("x" * 10_001, "", "", "", ""), "field_too_long"),
        (("Mug", "x" * 2001, "", "", ""), "field_too_long"),
        (("Mug", "", "x" * 2001, "", ""), "field_too_long"),
        ((True, "", "", "", ""), "bad_text"),
        ((Micros(5), "", "", "", ""), "bad_text"),
        ((["Mug"], "", "", "", ""), "bad_text"),
        (("Mug", ["Acme", "Bolt"], "", "", ""), "bad_text"),
        (("Mug", {"Brand": ["Acme", "Bolt"]}, "", "", ""), "bad_text"),
        (("Mug", "", {"a": 1}, "", ""), "bad_text"),
        (("Mug", "", [{"a": 1}], "", ""), "bad_text"),
        ((b"M\xfcg", "", "", "", ""), "not_utf8"),
        (("Mug", "", "", "x", ""), "bad_price"),
        (("Mug", "", "", "", "x"), "bad_flag"),
    ],
)
def test_a_wrong_field_is_a_reject_that_tells_whose(fields: tuple[object, ...], code: str) -> None:
    found = read(*fields)
    assert not found.items
    assert [(one.line, one.code, one.excerpt) for one in found.rejects] == [(7, code, "raw")]
    assert found.rejected_ids == ["x"]


def test_a_record_without_id_is_rejected_without_id() -> None:
    found = read_items(Batch([7], ["raw"], [["", "Mug", *NONE[1:]]]), "f")
    assert found.rejected_ids == []
    assert [one.code for one in found.rejects] == ["missing_id"]
