import pytest

from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits, decide_outcome
from gpt4rec_es.records import Outcome, SearchResult

HIT = SearchResult((1,), (2.0,), exhausted=True)
NOTHING = SearchResult((), (), exhausted=True)
EMPTY = SearchResult((), (), exhausted=True, is_empty_query=True)


def merge_of(*results: SearchResult, bought: frozenset[int] = frozenset()) -> Merge:
    queries = [QueryHits(rank, result) for rank, result in enumerate(results, start=1)]
    return merge_hits(queries, 2, bought, popular=[8])


@pytest.mark.parametrize(
    ("merge", "n_bought", "has_prompt", "outcome"),
    [
        (merge_of(EMPTY, HIT), 3, True, Outcome.OK),
        (merge_of(), 0, False, Outcome.NO_HISTORY),
        (merge_of(), 2, False, Outcome.NO_TITLES),
        (merge_of(EMPTY, EMPTY), 3, True, Outcome.EMPTY_QUERY),
        (merge_of(), 3, True, Outcome.EMPTY_QUERY),
        (merge_of(EMPTY, NOTHING), 3, True, Outcome.NO_HITS),
        (merge_of(HIT, bought=frozenset({1})), 3, True, Outcome.NO_HITS),
    ],
)
def test_outcome(merge: Merge, n_bought: int, has_prompt: bool, outcome: Outcome) -> None:
    assert decide_outcome(merge, n_bought=n_bought, has_prompt=has_prompt) is outcome


def test_an_incomplete_merge_has_none() -> None:
    incomplete = merge_of(SearchResult((), (), exhausted=False))
    with pytest.raises(ValueError, match="search deeper"):
        decide_outcome(incomplete, n_bought=1, has_prompt=True)
