from decimal import Decimal

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.lab.training.reranker_data import item_metadata, user_metadata


def item(number: int, category: str | None, price: int | None) -> ItemFields:
    return ItemFields(
        number, f"title {number}", "maker", category, None if price is None else Decimal(price)
    )


def test_fields_of_items() -> None:
    found = item_metadata(
        [
            item(1, "home > light > candle > tall", 1),
            item(2, "home > light", 2),
            item(3, "home > tea > pot", 3),
            item(4, None, 4),
            item(5, "home", 5),
            ItemFields(6, None, None, None, None),
        ]
    )
    # The one brand and the root say nothing; the path has at most three levels.
    assert found.fields == ("title", "price", "category level 2", "category level 3")
    texts = [[found.texts[n] if n >= 0 else None for n in row] for row in found.places.tolist()]
    assert texts == [
        ["title: title 1", "price: 1 of 5", "category level 2: light", "category level 3: candle"],
        ["title: title 2", "price: 2 of 5", "category level 2: light", None],
        ["title: title 3", "price: 3 of 5", "category level 2: tea", "category level 3: pot"],
        ["title: title 4", "price: 4 of 5", None, None],
        ["title: title 5", "price: 5 of 5", None, None],
        [None, None, None, None],
    ]


def test_a_catalog_of_titles_has_the_field_title() -> None:
    found = item_metadata([ItemFields(1, "a", None, None, None)])
    assert found.fields == ("title",)


def test_attributes_of_users_that_name_nobody() -> None:
    found = user_metadata(
        [7, 8, 9], {7: {"gender": "F", "age": 25, "email": "x"}, 8: {"gender": "M", "age": None}}
    )
    assert found is not None
    assert found.fields == ("gender",)  # one age says nothing
    assert found.texts == ("gender: F", "gender: M")
    assert found.places.tolist() == [[0], [1], [-1]]
    assert user_metadata([7], {}) is None
