import pytest

from gpt4rec_es.errors import DataError
from gpt4rec_es.reranking.metadata import (
    RecommenderData,
    collect_metadata,
    join_fields,
    pad_histories,
)

ROWS = [{"title": "A  clock", "brand": "B"}, {"title": "Bag", "brand": " "}, {"brand": "B"}, {}]


def test_equal_values_share_a_text() -> None:
    metadata = collect_metadata(ROWS)
    assert metadata.fields == ("title", "brand")
    assert metadata.texts == ("title: A clock", "brand: B", "title: Bag")
    assert metadata.places.tolist() == [[0, 1], [2, -1], [-1, 1], [-1, -1]]
    assert len(metadata) == 4


def test_all_fields_as_one_text() -> None:
    joined = join_fields(collect_metadata(ROWS))
    assert joined.texts[0] == "metadata: title: A clock; brand: B"
    assert joined.places.tolist() == [[0], [1], [2], [-1]]


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(DataError, match="Row 0 has the unknown field 'brand'"):
        collect_metadata(ROWS, ("title",))


def test_hashes_follow_the_content() -> None:
    whole = collect_metadata(ROWS).content_hash()
    assert collect_metadata(list(ROWS)).content_hash() == whole
    assert collect_metadata(ROWS[:3]).content_hash() != whole
    assert collect_metadata(ROWS, ("title", "brand", "year")).content_hash() != whole


def test_data_are_checked() -> None:
    items = collect_metadata(ROWS)
    assert RecommenderData(items, [[0, 1], [1]]).item_counts.tolist() == [1, 2, 0, 0]
    with pytest.raises(DataError, match="not one of 4"):
        RecommenderData(items, [[4]])
    with pytest.raises(DataError, match="an item twice"):
        RecommenderData(items, [[1, 1]])
    with pytest.raises(DataError, match="2 histories, but metadata of 4 users"):
        RecommenderData(items, [[1], []], items)


def test_histories_are_padded_newest_first() -> None:
    assert pad_histories([[1, 2, 3], [], [4]], 2).tolist() == [[3, 2], [-1, -1], [4, -1]]
