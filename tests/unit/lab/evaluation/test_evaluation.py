"""Lists of several lengths, metrics by segment, and paired comparisons, with known results."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import Analyze, MemoryRetriever
from gpt4rec_es.lab.evaluation import merging
from gpt4rec_es.lab.evaluation.compare import differences
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.measure import Measurer
from gpt4rec_es.lab.evaluation.merging import merge_lists
from gpt4rec_es.lab.evaluation.methods import BASELINES, Baselines, MethodOptions
from gpt4rec_es.lab.evaluation.sources import product_sources
from gpt4rec_es.lab.splits.queries import count_first_queries
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.labels import label_sets
from gpt4rec_es.metrics.lists import NOTHING, as_lists
from gpt4rec_es.metrics.variety import catalog_coverage
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.records import Bm25
from tests.merging import merged_lists

TITLES = {
    1: "red tea tin",
    2: "blue tea tin",
    3: "red candle",
    4: "blue candle candle",
    5: "green soap",
    6: "red soap",
}
TRAIN = {1: (1, 2), 2: (1, 3, 6), 3: (3, 6), 4: (1,), 5: (4, 5)}
CASES = [
    EvalUser(1, (1, 2), (3,)),
    EvalUser(2, (1, 3, 6), (5,)),
    EvalUser(3, (3, 6), (1, 4)),
    EvalUser(4, (1,), (2,)),
    EvalUser(5, (4, 5), (6,)),
]


def words(texts: Sequence[str]) -> list[list[str]]:
    return [text.split() for text in texts if text is not None]


def catalog(analyze: Analyze = words) -> EvaluationCatalog:
    index = MemoryIndex([TokenizedTitle(f"i{n}", n, t.split()) for n, t in TITLES.items()])
    labels = {"brand": label_sets({n: [t.split()[0]] for n, t in TITLES.items()}, 7)}
    ids = {n: f"i{n}" for n in TITLES}
    return EvaluationCatalog(ids, TITLES, labels, 7, frozenset(TITLES), index, Bm25(), analyze)


def test_no_baseline_lists_an_item_that_others_may_not_list() -> None:
    active = frozenset(TITLES) - {1, 6}
    index = MemoryIndex([TokenizedTitle(f"i{n}", n, TITLES[n].split()) for n in sorted(active)])
    made = Baselines(replace(catalog(), active=active, index=index), TRAIN, MethodOptions())
    for name in BASELINES:
        lists = made.lists(name, CASES, [2, 6])
        listed = [set(of_user) - {NOTHING} for of_user in lists[6].tolist()]
        assert set().union(*listed) <= active, name
        assert max(catalog_coverage(one, len(active)) for one in lists.values()) <= 1, name
    popular = made.lists("popularity", CASES, [2])[2].tolist()
    assert popular[:2] == [[3, 4], [2, 4]]  # the most popular items, 1 and 6, take no place


QUERIES = [
    ["red", "tea", "blue soap"],
    ["candle", "!!!"],
    [],
    ["tea", "tin", "red soap", "green"],
    ["zeppelin", "red"],
]


def test_first_queries_are_counted_over_users_with_queries() -> None:
    queries = [["red", "tea"], ["tea"], [], ["red"], ["red", "red tea"]]
    assert count_first_queries(queries) == FirstQueries(2, 3 / 4)
    assert count_first_queries([[], []]) == FirstQueries(0, None)


def test_every_length_and_number_of_queries_is_merged_on_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bought = [eval_user.history for eval_user in CASES]

    def tokens(texts: Sequence[str]) -> list[list[str]]:
        return [[] if text == "!!!" else text.split() for text in texts]

    made = catalog(tokens)
    retriever = MemoryRetriever(made.index, Bm25(), tokens)
    cells = [(k, m) for k in (1, 2, 3, 6) for m in (1, 2, 4)]
    for most in (1 << 25, 1):
        # With room for one hit, every user is a separate step.
        monkeypatch.setattr(merging, "_HITS", most)
        found = merge_lists(made, QUERIES, bought, cells)
        for k, m in cells:
            expected = merged_lists(retriever, [q[:m] for q in QUERIES], bought, k)
            assert found[k, m].tolist() == as_lists(expected, k).tolist()


def test_progress_ends_at_the_number_of_users() -> None:
    told: list[tuple[int, int | None]] = []
    made = catalog()
    merge_lists(
        made,
        QUERIES,
        [()] * 5,
        [(2, 2)],
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (5, 5)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_lists_of_every_length_without_what_was_bought(name: str) -> None:
    baselines = Baselines(catalog(), TRAIN, MethodOptions())
    found = baselines.lists(name, CASES, (1, 3))
    assert {k: lists.shape for k, lists in found.items()} == {1: (5, 1), 3: (5, 3)}
    for eval_user, items in zip(CASES, found[3].tolist(), strict=True):
        assert not set(items) & set(eval_user.history)
    assert (found[3] >= 0).any()


def test_the_hybrids_ends_are_its_parts() -> None:
    def lists(name: str, weight: float) -> list[list[int]]:
        options = MethodOptions(title_weight=weight)
        found: list[list[int]] = (
            Baselines(catalog(), TRAIN, options).lists(name, CASES, (3,))[3].tolist()
        )
        return found

    assert lists("hybrid", 1.0) == lists("history-bm25", 0.3)
    assert lists("hybrid", 0.0) == lists("co_purchases", 0.3)
    assert lists("hybrid", 0.5) != lists("hybrid", 0.0)


def test_unknown_methods_and_weights_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no method 'x'\. There are: popularity"):
        Baselines(catalog(), TRAIN, MethodOptions()).lists("x", CASES, (1,))
    with pytest.raises(UsageError, match="title weight is 2"):
        MethodOptions(title_weight=2)


def test_lists_longer_than_the_catalog_are_refused() -> None:
    catalog().check((1, 6))
    for ks, message in (((7,), "only 6 items"), ((0, 2), "at least 1"), ((), "at least 1")):
        with pytest.raises(UsageError, match=message):
            catalog().check(ks)


def test_metrics_of_all_and_of_segments_by_hand() -> None:
    lists = {1: as_lists([[3], [2], [1], [], [1]], 1)}
    rows = {(r.segment, r.metric): r for r in Measurer(catalog(), CASES, TRAIN, TRAIN).rows(lists)}
    assert rows["all", "recall"].mean == pytest.approx((1 + 0 + 0.5 + 0 + 0) / 5)
    assert rows["all", "hit_rate"].mean == pytest.approx(2 / 5)
    assert rows["all", "empty_fraction"].mean == pytest.approx(1 / 5)
    assert rows["all", "catalog_coverage"].mean == 3 / 6
    assert rows["all", "catalog_coverage"].low is None
    # For users 1, 4 and 5 ids ascend from the newest known item to the first target.
    assert rows["last pair ascending", "hit_rate"].mean == pytest.approx(1 / 3)
    assert rows["last pair descending", "recall"].users == 2
    assert rows["all", "novelty"].users == 4
    # Item 1 alone (of 6) is head: bought by three.
    assert rows["target in tail", "recall"].users == 4
    low, high = rows["all", "recall"].low, rows["all", "recall"].high
    assert low is not None
    assert high is not None
    assert low < 0.3 < high


def test_a_clear_gain_is_told_from_chance() -> None:
    chance = np.random.default_rng(4)
    targets = [(int(item),) for item in chance.integers(0, 50, 400)]
    good = [[t[0], 60] if chance.random() < 0.5 else [60, 61] for t in targets]
    poor = [[61, t[0]] if chance.random() < 0.3 else [60, 61] for t in targets]
    a, b = {2: as_lists(poor, 2)}, {2: as_lists(good, 2), 5: as_lists(good, 5)}
    found = {one.metric: one for one in differences(a, b, targets)}
    assert set(found) == {"recall", "hit_rate", "ndcg", "mrr"}
    recall = found["recall"]
    assert recall.gain == pytest.approx(recall.b - recall.a)
    assert 0 < recall.low < recall.gain < recall.high
    assert recall.p_value <= recall.adjusted < 0.05
    same = differences(a, a, targets)
    assert [(one.gain, one.low, one.high, one.p_value) for one in same] == [(0, 0, 0, 1)] * 4
    # One target per user: recall equals the hit rate, so at K = 2 there are three tests, not four.
    assert found["hit_rate"].adjusted == recall.adjusted
    smallest = min(one.p_value for one in found.values())
    assert min(one.adjusted for one in found.values()) == pytest.approx(3 * smallest)
    with pytest.raises(UsageError, match="lists of 2, the other of 5"):
        differences(a, {5: b[5]}, targets)


@pytest.mark.parametrize("method", ["scores", "ranks"])
@pytest.mark.parametrize(
    "weights",
    [
        (("queries", 1.0),),
        (("queries", 0.3), ("co_purchase", 0.7)),
        (("queries", 0.0), ("co_purchase", 1.0)),
        (("queries", 0.2), ("co_purchase", 0.5), ("history_titles", 0.3)),
    ],
)
def test_product_lists_of_several_lengths_are_those_made_alone(
    weights: tuple[tuple[str, float], ...], method: str
) -> None:
    made = catalog()
    fusion = Fusion(weights=weights, method=method, candidates=3)
    sources = product_sources(made, TRAIN, fusion)
    histories = [eval_user.history for eval_user in CASES]
    cells = [(k, m) for k in (1, 2, 4, 6) for m in (1, 3)]
    together = merge_lists(made, QUERIES, histories, cells, sources=sources)
    for cell in cells:
        alone = merge_lists(made, QUERIES, histories, [cell], sources=sources)
        assert together[cell].tolist() == alone[cell].tolist()
    # Popular items fill remaining places, except bought ones.
    for history, items in zip(histories, together[6, 3].tolist(), strict=True):
        assert not set(items) & set(history)
        assert len([item for item in items if item >= 0]) == len(TITLES) - len(history)
