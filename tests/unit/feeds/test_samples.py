"""Samples of every shape of file, with equal content."""

import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpt4rec_es.feeds.opening import open_feed
from gpt4rec_es.feeds.shapes import Kind, find_shape
from tests.unit.feeds.reading import SAMPLES, interactions_of, items_of

S = 1_000_000


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("own_items.csv", "items", "own"),
        ("own_items.jsonl", "items", "own"),
        ("own_interactions.csv", "interactions", "own"),
        ("own_interactions.jsonl", "interactions", "own"),
        ("amazon2014_metadata.json", "items", "amazon2014"),
        ("amazon2014_reviews.json", "interactions", "amazon2014"),
        ("amazon2018_metadata.json", "items", "amazon2018"),
        ("amazon2018_reviews.json", "interactions", "amazon2018"),
        ("amazon2023_metadata.jsonl", "items", "amazon2023"),
        ("amazon2023_reviews.jsonl", "interactions", "amazon2023"),
        ("amazon2023_ratings.csv", "interactions", "amazon2023"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_shape_is_found_out(
    name: str, kind: Kind, shape: str, packed: bool, tmp_path: Path
) -> None:
    path = SAMPLES / name
    if packed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((SAMPLES / name).read_bytes()))
    feed = open_feed(path)
    assert find_shape(name, kind, feed.fields, "auto", {}).name == shape
    feed.close()


def test_own_items_csv() -> None:
    items, rejects = items_of(SAMPLES / "own_items.csv")
    assert not rejects
    assert [(i.item_id, i.title, i.brand, i.price, i.is_active) for i in items] == [
        ("M1", "Blue Mug", "Acme", Decimal("4.50"), True),
        ("M2", 'Mug, "large"', "Acme", Decimal("1234.00"), True),
        ("M3", "Rosé Cup & Saucer", None, None, None),
        ("M4", "schöne Tasse", "Ümlaut", Decimal("0.85"), False),
        ("M5", None, "Acme", Decimal("1.00"), None),
    ]
    assert items[2].title_raw == "Ros&eacute; Cup &amp; Saucer"
    assert items[4].title_raw == "???"


def test_own_items_json_tells_absent_from_empty() -> None:
    items, rejects = items_of(SAMPLES / "own_items.jsonl")
    assert not rejects
    assert [(i.item_id, i.category, i.price, i.given) for i in items] == [
        ("M1", "Kitchen > Mugs", Decimal("4.50"), 15),
        ("2", "Kitchen > Mugs", Decimal("1234.00"), 15),
        ("M3", None, None, 1 | 8),  # title and price; the price is known to be unknown
    ]


def test_own_interactions_csv() -> None:
    rows, rejects = interactions_of(SAMPLES / "own_interactions.csv")
    assert not rejects
    assert rows == [
        ("ann", "M1", 1267535280 * S, True, 0, None),
        ("ann", "M2", 1267535280 * S, True, 1, None),
        ("bob", "M1", 1323435000 * S, True, 0, 4.5),
        ("bob", "M3", 1323435000 * S, True, 1, 5.0),
    ]


def test_own_interactions_json() -> None:
    rows, rejects = interactions_of(SAMPLES / "own_interactions.jsonl")
    assert not rejects
    assert rows == [
        ("ann", "M1", 0, False, 0, None),
        ("ann", "M2", 1, False, 1, 3.0),
        ("7", "M1", 1267535280 * S + 500_000, True, 0, None),
    ]


@pytest.mark.parametrize("year", ["2014", "2018", "2023"])
def test_amazon_reviews(year: str) -> None:
    endings = {"2014": ".json", "2018": ".json", "2023": ".jsonl"}
    rows, rejects = interactions_of(SAMPLES / f"amazon{year}_reviews{endings[year]}")
    assert not rejects
    times = {
        "2014": [1252800000 * S, 1252886400 * S],
        "2018": [1433289600 * S, 1433376000 * S],
        "2023": [1588687728923 * 1000, 1588687728924 * 1000],
    }
    assert [row[2] for row in rows] == times[year]
    # The 2023 data set has variants of a parent item; the second record names only the variant.
    assert [row[:2] for row in rows] == [("A1SAMPLE", "S000000001"), ("A2SAMPLE", "S000000002")]


def test_amazon_metadata() -> None:
    found = {}
    for name in ("amazon2014_metadata.json", "amazon2018_metadata.json"):
        items, rejects = items_of(SAMPLES / name)
        assert not rejects
        found[name[6:10]] = [(i.title, i.brand, i.category, i.price) for i in items]
    items, rejects = items_of(SAMPLES / "amazon2023_metadata.jsonl")
    assert not rejects
    found["2023"] = [(i.title, i.brand, i.category, i.price) for i in items]
    brush = "Beauty > Tools & Accessories > Brushes | Gifts"
    assert found == {
        "2014": [
            ('Women\'s Brush "Soft"', "Sample", brush, Decimal("9.99")),
            ("Crème", None, "Beauty", None),
            (None, None, "Beauty", None),
        ],
        "2018": [
            ("Brush", "Sample", "Beauty > Brushes", Decimal("9.99")),
            ("Comb", None, "All Beauty", None),
            ("Soap", None, "All Beauty", None),
        ],
        "2023": [
            ("Brush", "Sample", "Beauty > Brushes", Decimal("9.99")),
            ("Comb", "Named", "All Beauty", None),
            ("Soap", None, None, None),
        ],
    }


def test_parquet_says_the_same_as_json(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    table = pa.table(
        {
            "item_id": ["M1", "2"],
            "title": ["Blue Mug", 'Mug, "large"'],
            "brand": pa.array(["Acme", "Acme"]).dictionary_encode(),
            "category": [["Kitchen", "Mugs"], ["Kitchen", "Mugs"]],
            "price": pa.array([Decimal("4.50"), Decimal("1234")], pa.decimal128(12, 2)),
            "active": [True, None],
        }
    )
    pq.write_table(table, path)
    from_parquet, rejects = items_of(path)
    assert not rejects
    assert from_parquet == items_of(SAMPLES / "own_items.jsonl")[0][:2]
