"""Candidates of many users at once are those that a night finds for each user alone."""

from collections.abc import Sequence
from math import exp
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.nearest import NearestTitles, Vectors32
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.merging import GridMerge
from gpt4rec_es.lab.evaluation.sources import product_sources
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.tuning.lists import collect
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.collect import CandidateCollector, Limits
from gpt4rec_es.lab.tuning.lists.joining import rerank_column
from gpt4rec_es.lab.tuning.lists.pair_tables import PairTables
from gpt4rec_es.lab.tuning.lists.reach import Reach
from gpt4rec_es.lab.tuning.lists.search_candidates import search_candidates
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.pairs import PairCounting
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.ranking.best_items import with_best
from gpt4rec_es.ranking.features import Candidates
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.ranking.vectors import ItemVectors, Vectors, with_last
from gpt4rec_es.records import Bm25

WORDS = ("red", "blue", "tea", "tin", "soap", "candle")
ITEMS = 30
SOURCES = (
    "queries",
    "history_titles",
    "co_purchase",
    "sequence",
    "query_vectors",
    "title_vectors",
)
items = st.integers(1, ITEMS - 1)
histories = st.lists(items, max_size=12)
texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)  # also without a token
Shop = tuple[EvaluationCatalog, list[list[str]], list[list[int]], frozenset[str]]


def likelihoods(queries: list[list[str]]) -> list[list[float]]:
    """Return what a generator thought of each query: equal texts differ between users."""
    return [
        [exp(-0.3 * place - 0.1 * (user % 3)) for place, _ in enumerate(own)]
        for user, own in enumerate(queries)
    ]


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Return a catalog, each user's queries and history, and the queries that filters remove."""
    titles = {
        number: " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)))
        for number in draw(st.sets(items, min_size=3))
    }
    ids = {number: f"i{number}" for number in range(1, ITEMS)}
    index = MemoryIndex([TokenizedTitle(ids[n], n, t.split()) for n, t in titles.items()])
    catalog = EvaluationCatalog(
        ids,
        titles,
        {},
        ITEMS,
        frozenset(titles),
        index,
        Bm25(),
        lambda several: [text.split() for text in several],
    )
    users = draw(st.lists(st.tuples(st.lists(texts, max_size=6, unique=True), histories)))
    queries, bought = [own for own, _ in users], [own for _, own in users]
    return catalog, queries, bought, frozenset(draw(st.sets(texts, max_size=2)))


fusions = st.builds(
    Fusion,
    method=st.just("learned"),
    coefficients=st.just((("popularity", 1.0),)),
    weights=st.permutations(SOURCES)
    .flatmap(
        lambda names: st.tuples(
            *(st.tuples(st.just(name), st.sampled_from([1.0, 1.0, 0.0])) for name in names)
        )
    )
    .filter(lambda pairs: any(weight for _, weight in pairs)),
    candidates=st.integers(1, 12),
    history=st.integers(1, 8),
    history_decay=st.sampled_from([0.4, 0.7, 1.0]),
    query_decay=st.sampled_from([0.5, 0.85, 1.0]),
    neighbours=st.integers(1, 10),
    query_hits=st.integers(1, 10),
    pairs=st.builds(PairCounting, decay=st.sampled_from([0.5, 1.0]), damping=st.just(1.0)),
)


ALL = Fusion(
    tuple((name, 1.0) for name in SOURCES), method="learned", coefficients=(("popularity", 1.0),)
)


def vectors_of(bought: Sequence[Sequence[int]], catalog: EvaluationCatalog) -> Vectors:
    """Return drawn vectors of two thirds of the items, and of three quarters of the users.

    Few values, so that many scores are equal.
    """
    chance = np.random.default_rng(len(bought))
    numbers = np.flatnonzero(chance.random(ITEMS) < 2 / 3)
    items = ItemVectors(
        numbers,
        with_last(chance.integers(-2, 3, (len(numbers), 2)), chance.integers(0, 2, len(numbers))),
        np.isin(numbers, list(catalog.active)),
    )
    users = {
        user: with_last(chance.integers(-2, 3, (1, 2)), 1)[0]
        for user in range(len(bought))
        if chance.random() < 3 / 4
    }
    return Vectors(items, users)


def encode(texts: Sequence[str]) -> Vectors32:
    """Return sums of word vectors, of unit length; texts of the same words are equal."""
    of_word = {word: [place % 3 - 1, place // 3 - 0.5] for place, word in enumerate(WORDS)}
    found = np.zeros((len(texts), 2), np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            found[row] += of_word[word]
        found[row] /= max(float(np.linalg.norm(found[row])), 1e-6)
    return found


def nearest_in(catalog: EvaluationCatalog) -> NearestTitles:
    ids = {item: catalog.item_ids[item] for item in catalog.active}
    return NearestTitles(ids, encode([catalog.titles[item] for item in ids]), encode)


def one_by_one(shop: Shop, fusion: Fusion, num_queries: int) -> dict[int, Candidates]:
    """Return the candidates of each user by the night's functions."""
    catalog, queries, bought, removed = shop
    vectors = vectors_of(bought, catalog)
    sources = product_sources(
        catalog, dict(enumerate(bought)), fusion, vectors=vectors, nearest=nearest_in(catalog)
    )
    grid = GridMerge(catalog.search(), catalog.search(), [catalog.bm25], sources)
    used = [own[:num_queries] for own in queries]
    found = {}
    most = max(fusion.query_hits, fusion.candidates)
    for users, hits, inputs in grid.groups(
        used, bought, most, removed=removed, likelihoods=likelihoods(queries)
    ):
        at = hits.at(0)
        titles = {number for user in users for number in inputs.title_queries(user)}
        asked = {number for user in users for number in user.used_queries}
        at.load_first({*map(at.title_key, titles), *map(at.query_key, asked)})
        at.load_near({number for user in users for number in inputs.near_queries(user)})
        for user in users:
            found[user.user_no] = inputs.candidates(user, at)
    return found


def at_once(shop: Shop, fusion: Fusion, num_queries: int, **more: object) -> CandidateSet:
    return collector_of(shop, fusion, **more).collect(fusion, num_queries)


def collector_of(shop: Shop, fusion: Fusion, **more: object) -> CandidateCollector:
    catalog, queries, bought, removed = shop
    newest = {user: deduplicate_keep_last(own)[::-1] for user, own in enumerate(bought)}
    excluded = {user: set(own) for user, own in newest.items()}
    vectors = vectors_of(bought, catalog)
    more = {"columns": {"rerank": rerank_column(vectors)}, **more}
    return search_candidates(
        catalog,
        queries,
        bought,
        PairTables(catalog, dict(enumerate(bought)), {}, fusion),
        {item: normalise_query(title) for item, title in catalog.titles.items()},
        Limits(15, 12, 10),
        removed=removed,
        vectors=with_best(vectors, newest, 15, [excluded]),
        likelihoods=likelihoods(queries),
        nearest=nearest_in(catalog),
        **more,  # type: ignore[arg-type]
    )


@given(shops(), fusions, st.integers(1, 6), st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_users_that_a_setting_finds_nothing_for_are_left_out(
    shop: Shop, fusion: Fusion, num_queries: int, data: st.DataObject
) -> None:
    collector = collector_of(shop, fusion)
    n_users = len(shop[1])
    targets = data.draw(
        st.lists(st.sets(items, min_size=1, max_size=3), min_size=n_users, max_size=n_users)
    )
    everyone = collector.collect(fusion, num_queries)
    users = Reach(collector, targets).users(fusion, num_queries)
    found = np.unique(everyone.owners()[everyone.is_target(targets)])
    assert set(found) <= set(users)
    some, own = collector.of(users).collect(fusion, num_queries), everyone.of(users)
    assert some.item_nos.tolist() == own.item_nos.tolist()
    assert some.features.tobytes() == own.features.tobytes()
    assert some.contexts.tolist() == own.contexts.tolist()


@given(shops(), fusions, st.integers(1, 6), st.sampled_from([10, 1 << 20]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_they_are_those_of_the_night_bit_for_bit(
    shop: Shop, fusion: Fusion, num_queries: int, hits_at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "_HITS", hits_at_once)
        found = at_once(shop, fusion, num_queries)
    assert len(found) == len(shop[1])
    for user, expected in one_by_one(shop, fusion, num_queries).items():
        own = slice(found.starts[user], found.starts[user + 1])
        assert found.item_nos[own].tolist() == expected.item_nos.tolist()
        of_night = expected.features.astype(np.float32)
        assert found.features[own].tobytes() == of_night.tobytes()
        assert found.contexts[user].tolist() == [expected.contexts[name] for name in CONTEXTS]


def catalog_of(titles: dict[int, str]) -> EvaluationCatalog:
    index = MemoryIndex([TokenizedTitle(f"i{n}", n, t.split()) for n, t in titles.items()])
    ids = {number: f"i{number}" for number in titles}
    return EvaluationCatalog(
        ids, titles, {}, 9, frozenset(ids), index, Bm25(), lambda texts: [t.split() for t in texts]
    )


def test_arrays_on_disk_are_the_same_and_leave_no_file(tmp_path: Path) -> None:
    titles = {1: "red tea", 2: "blue tea", 3: "red soap", 4: "tea tin"}
    shop = catalog_of(titles), [["tea"], []], [[1, 3], [2]], frozenset[str]()
    in_memory, on_disk = at_once(shop, ALL, 3), at_once(shop, ALL, 3, folder=tmp_path)
    assert on_disk.features.tobytes() == in_memory.features.tobytes()
    assert on_disk.item_nos.tolist() == in_memory.item_nos.tolist()
    assert list(tmp_path.iterdir()) == []


def test_the_column_of_a_re_ranker_is_given_by_user_and_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    titles = {1: "red tea", 2: "blue tea", 3: "red soap", 4: "tea tin"}
    shop = catalog_of(titles), [["tea"], ["tin"]], [[1, 3], [2]], frozenset[str]()

    def other(users: Numbers, item_nos: Numbers) -> Values:
        return np.asarray(100 * users + item_nos, np.float64)

    monkeypatch.setattr(collect, "_HITS", 1)  # one user at a time
    found = at_once(shop, ALL, 3, columns={"rerank": other})
    column = found.features[:, list(FEATURES).index("rerank")]
    assert column.tolist() == (100 * found.owners() + found.item_nos).tolist()
