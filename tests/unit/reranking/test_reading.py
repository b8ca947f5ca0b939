from decimal import Decimal

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.reranking.metadata import Metadata
from gpt4rec_es.reranking.reading import Reading, learn_reading


def item(number: int, category: str | None, price: int | None) -> ItemFields:
    return ItemFields(
        number, f"title {number}", "maker", category, None if price is None else Decimal(price)
    )


ITEMS = [
    item(1, "home > light > candle > tall", 1),
    item(2, "home > light", 2),
    item(3, "home > tea > pot", 3),
    item(4, None, 4),
    item(5, "home", 5),
    ItemFields(6, None, None, None, None),
]


def texts_of(found: Metadata) -> list[list[str | None]]:
    return [[found.texts[n] if n >= 0 else None for n in row] for row in found.places.tolist()]


def test_fields_of_items() -> None:
    found = learn_reading(ITEMS, []).items(ITEMS)
    # The one brand and the root say nothing; the path has at most three levels.
    assert found.fields == ("title", "price", "category level 2", "category level 3")
    assert texts_of(found) == [
        ["title: title 1", "price: 1 of 5", "category level 2: light", "category level 3: candle"],
        ["title: title 2", "price: 2 of 5", "category level 2: light", None],
        ["title: title 3", "price: 3 of 5", "category level 2: tea", "category level 3: pot"],
        ["title: title 4", "price: 4 of 5", None, None],
        ["title: title 5", "price: 5 of 5", None, None],
        [None, None, None, None],
    ]


def test_a_catalog_of_titles_has_the_field_title() -> None:
    one = [ItemFields(1, "a", None, None, None)]
    assert learn_reading(one, []).items(one).fields == ("title",)


def test_a_saved_reading_reads_items_of_another_day_as_those_of_the_training() -> None:
    reading = learn_reading(ITEMS, [{"age": 1}, {"age": 2}])
    again = Reading.of_document(reading.as_dict())
    assert again == reading
    # A new brand, other prices: neither the fields nor the bands move.
    new = [
        ItemFields(9, "new", "other maker", "garden > light", Decimal("1.79")),
        ItemFields(10, "new", None, None, Decimal(1000)),
    ]
    assert texts_of(again.items(new)) == [
        ["title: new", "price: 1 of 5", "category level 2: light", None],
        ["title: new", "price: 5 of 5", None, None],
    ]
    assert again.items([]).fields == reading.item_fields


def test_attributes_of_users_that_name_nobody() -> None:
    known = [{"gender": "F", "age": 25, "email": "x"}, {"gender": "M", "age": None}, {}]
    found = learn_reading([], known).users(known)
    assert found is not None
    assert found.fields == ("gender",)  # one age says nothing
    assert found.texts == ("gender: F", "gender: M")
    assert found.places.tolist() == [[0], [1], [-1]]
    assert learn_reading([], [{}]).users([{}]) is None
