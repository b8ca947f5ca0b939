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


FILMS = [
    ItemFields(1, "Heat (1995)", None, "Action | Crime", None),
    ItemFields(2, "1984 (1984) ", None, "Drama", None),
    ItemFields(3, "Toys (part 2)", None, "Comedy | Drama | Crime | Action | War", None),
    ItemFields(4, "Pots", None, "home > kitchen > pots | garden > pots > clay | home", None),
]


def test_each_category_of_an_item_in_several_is_a_field() -> None:
    found = learn_reading(FILMS, []).items(FILMS)
    rows = [
        dict(zip(found.fields, [text and text.partition(": ")[2] for text in row], strict=True))
        for row in texts_of(found)
    ]
    fields = ("title", "category level 1", "category 2", "year", "category 3")
    assert found.fields == fields  # the other levels have one value
    assert [row["category level 1"] for row in rows] == ["Action", "Drama", "Comedy", "home"]
    assert [row["category 2"] for row in rows] == ["Crime", None, "Drama", "clay"]
    assert [row["category 3"] for row in rows] == [None, None, "Crime", "home"]
    assert [row["year"] for row in rows] == ["1995", "1984", None, None]


def test_fields_of_a_network_from_before_them_stay() -> None:
    before = Reading.of_document({"item_fields": ["title", "category level 1"]})
    assert texts_of(before.items(FILMS[:1])) == [
        ["title: Heat (1995)", "category level 1: Action | Crime"]
    ]


def test_categories_are_read_apart_where_the_second_one_never_varies() -> None:
    rows = [
        ItemFields(n, "pot", None, category, None)
        for n, category in enumerate(["Shoes | Sale", "Hats | Sale", "Hats"])
    ]
    found = learn_reading(rows, []).items(rows)
    assert [row[1] for row in texts_of(found)] == [
        "category level 1: Shoes",
        "category level 1: Hats",
        "category level 1: Hats",
    ]


def test_rare_years_are_no_field() -> None:
    rows = [FILMS[0], FILMS[1], *[ItemFields(n, f"pot {n}", None, None, None) for n in range(60)]]
    assert "year" not in learn_reading(rows, []).item_fields
    assert "year" in learn_reading(rows[:30], []).item_fields


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
