"""Which comparisons of hidden purchases may refuse a night."""

from types import SimpleNamespace
from typing import Any

from gpt4rec_es.night.publish.hidden_purchases import _is_fair
from gpt4rec_es.options.lists import Fusion


def by(*weights: tuple[str, float]) -> Any:
    return SimpleNamespace(manifest={"fusion": Fusion(weights=weights).as_dict()})


def test_co_purchases_know_hidden_purchases() -> None:
    queries, titles = by(("queries", 1)), by(("queries", 1), ("history_titles", 1))
    pairs = by(("queries", 1), ("co_purchase", 1))
    assert _is_fair(pairs, pairs)
    assert _is_fair(titles, queries)
    assert _is_fair(pairs, queries), "worse in spite of what co-purchases know"
    assert not _is_fair(queries, pairs)
