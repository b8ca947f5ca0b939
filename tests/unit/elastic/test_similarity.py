from typing import Any

from gpt4rec_es.elastic.similarity import explained_bm25, same_bm25, similarity_settings
from gpt4rec_es.records import Bm25


def leaf(value: float, description: str) -> dict[str, Any]:
    return {"value": value, "description": description, "details": []}


def clause(k1: float, b: float) -> dict[str, Any]:
    parts = [
        leaf(1.0, "freq, occurrences of term within document"),
        leaf(k1, "k1, term saturation parameter"),
        leaf(b, "b, length normalization parameter"),
    ]
    return {"value": 1, "description": "tf, computed as ...", "details": parts}


def test_every_clause_is_read() -> None:
    tree = {"value": 2, "description": "sum of:", "details": [clause(0.9, 0.4), clause(1.2, 0.75)]}
    assert explained_bm25(tree) == {Bm25(0.9, 0.4), Bm25(1.2, 0.75)}


def test_no_match_and_other_similarities_give_nothing() -> None:
    assert explained_bm25({"value": 0, "description": "no matching term", "details": []}) == set()
    only_k1 = {"value": 1, "description": "tf", "details": [leaf(1.2, "k1, saturation")]}
    assert explained_bm25(only_k1) == set()


def test_values_are_compared_in_single_precision() -> None:
    assert same_bm25(Bm25(0.1, 0.3), Bm25(0.10000000149, 0.30000001192))
    assert not same_bm25(Bm25(1.2, 0.75), Bm25(1.2, 0.751))
    assert same_bm25(Bm25(0.0, 0.0), Bm25(0.0, 0.0))


def test_settings_name_the_similarity() -> None:
    assert similarity_settings(Bm25(0.9, 0.4), {"brand": Bm25(0.3, 0.1)}) == {
        "index.similarity.catalog_bm25.k1": 0.9,
        "index.similarity.catalog_bm25.b": 0.4,
        "index.similarity.brand_bm25.k1": 0.3,
        "index.similarity.brand_bm25.b": 0.1,
    }
