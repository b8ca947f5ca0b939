"""Detection of a file's shape, and its error messages."""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.shapes import SHAPES, Kind, find_shape


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("items", ["sku", "name"]),
        ("items", ["item_id"]),
        ("items", ["item_id", "ordinal"]),
        ("items", ["asin", "title"]),
        ("interactions", ["user_id", "when"]),
        ("interactions", ["item_id", "timestamp"]),
        ("interactions", ["user", "item"]),
        ("interactions", []),
    ],
)
def test_when_none_fits_the_fields_found_are_named(kind: Kind, fields: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        find_shape("f.csv", kind, fields, "auto", {})
    message = str(caught.value)
    assert message.startswith("f.csv has the fields ")
    assert (", ".join(fields) or "(none)") in message
    for shape in SHAPES[kind]:
        assert shape.name in message
    assert "--column" in message


def test_many_and_odd_fields_are_named_briefly() -> None:
    with pytest.raises(UsageError) as caught:
        find_shape("f.csv", "items", ["\x1b[31m", *map(str, range(500))], "auto", {})
    assert "'\\x1b[31m'" in str(caught.value)
    assert "and 481 more" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "fields",
    [
        ["user_id", "item_id", "timestamp"],
        ["user_id", "parent_asin", "title", "rating"],
        ["reviewerID", "asin", "style"],
    ],
)
def test_interactions_are_not_taken_for_a_catalog(fields: list[str]) -> None:
    with pytest.raises(UsageError, match="holds interactions, not items"):
        find_shape("f.csv", "items", fields, "auto", {})


def test_mapped_columns() -> None:
    fields = ["sku", "name", "price"]
    columns = {"item_id": "sku", "title": "name"}
    shape = find_shape("f.csv", "items", fields, "auto", columns)
    assert shape.name == "own"
    assert [shape.sources[one] for one in ("item_id", "title", "price")] == [
        ("sku",),
        ("name",),
        ("price",),
    ]
    # A catalog may have a column of users, if its columns are mapped.
    find_shape("f.csv", "items", [*fields, "user_id"], "auto", columns)


def test_a_mapped_id_alone_is_no_catalog() -> None:
    with pytest.raises(UsageError, match="fits no shape"):
        find_shape("f.csv", "items", ["sku", "x"], "auto", {"item_id": "sku"})
    find_shape("f.csv", "items", ["sku", "x"], "own", {"item_id": "sku"})


def test_a_mapped_column_must_be_there() -> None:
    with pytest.raises(UsageError, match=r"no column sku.*It has id, name"):
        find_shape("f.csv", "items", ["id", "name"], "auto", {"item_id": "sku"})


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(UsageError, match=r"colour is no field of items.*item_id, title"):
        find_shape("f.csv", "items", ["item_id", "c"], "auto", {"colour": "c"})


def test_a_chosen_shape_must_fit() -> None:
    with pytest.raises(UsageError, match="fits no shape of interactions"):
        find_shape("f.csv", "interactions", ["user_id", "item_id"], "amazon2014", {})
    # A chosen shape needs no distinguishing fields.
    assert find_shape("f", "items", ["asin", "title"], "amazon2014", {}).name == "amazon2014"
