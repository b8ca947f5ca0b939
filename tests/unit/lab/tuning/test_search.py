"""Which settings a tuning tries, and how a killed one goes on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.joining import (
    RERANKER,
    SEQUENCE,
    VECTORS,
    join_of_encoder,
    joins_of_reranker,
    rerank_column,
)
from gpt4rec_es.lab.tuning.lists.proposals import Tried, proposals
from gpt4rec_es.lab.tuning.lists.search import Choice, Measuring, choose_recipe
from gpt4rec_es.lab.tuning.lists.space import Setting, Space
from gpt4rec_es.lab.tuning.lists.work_folder import WorkFolder
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.ranking.vectors import ItemVectors, Vectors, with_last
from gpt4rec_es.recipes.shipped import shipped

BASE = shipped("default").recipe
SPACE = Space(BASE, has_queries=True)


def bowl(setting: Setting) -> float:
    """A value that is best at one setting, and falls with each step away from it."""
    best = replace(SPACE.base, num_queries=5, history=20, pair_decay=0.65, pair_damping=80.0)
    return -sum(
        abs(values.index(getattr(setting, name)) - values.index(getattr(best, name)))
        for name, values in SPACE.values.items()
    )


def tried(trials: int, seed: int = 0, space: Space = SPACE) -> list[Setting]:
    found: list[Tried] = []
    for setting in proposals(space, found, trials, seed):
        found.append(Tried(setting, True, bowl(setting)))  # noqa: PERF401 -- it is read meanwhile
    return [one.setting for one in found]


def test_settings_are_distinct_begin_with_the_base_and_follow_from_the_seed() -> None:
    settings = tried(60)
    assert settings[0] == Setting.of(BASE)
    assert len(set(settings)) == len(settings) == 60
    assert tried(60) == settings != tried(60, seed=1)
    assert tried(30)[:10] == settings[:10]


def test_steps_find_the_best_of_a_bowl() -> None:
    assert max(map(bowl, tried(100))) == 0


def test_a_setting_is_that_of_its_recipe() -> None:
    assert Setting.of(BASE).applied(BASE) == BASE
    for setting in tried(20):
        recipe = setting.applied(BASE)
        assert Setting.of(recipe) == setting
        assert recipe.decoding.num_beams == BASE.decoding.num_beams
        assert recipe.decoding.num_queries <= BASE.decoding.num_queries
        limits = SPACE.limits()
        assert recipe.fusion.candidates <= limits.title_hits
        assert recipe.fusion.query_hits <= limits.query_hits
        assert recipe.fusion.history <= limits.history


def test_options_without_their_source_stay() -> None:
    without = Space(BASE, has_queries=False)
    assert not {"num_queries", "query_hits", "query_decay"} & without.values.keys()
    fusion = replace(
        BASE.fusion, weights=(("history_titles", 1.0),), coefficients=(("title_recent", 1.0),)
    )
    titles = Space(Recipe(fusion=fusion), has_queries=True)
    assert set(titles.values) == {"candidates", "history", "history_decay"}
    assert len(tried(200, space=titles)) == 3 * 5 * 4  # all there are


def test_values_of_the_recipe_are_among_those_tried() -> None:
    odd = replace(BASE, fusion=replace(BASE.fusion, candidates=123, history=33))
    space = Space(odd, has_queries=True)
    assert (space.values["candidates"], space.values["history"]) == (
        (75, 123, 150, 300),
        (5, 10, 20, 33, 40, 80),
    )
    assert Space(Recipe(fusion=Fusion()), has_queries=True).limits().title_hits == 300


class Counted(Measuring):
    """A measuring by ``bowl`` that counts its calls, and stops after some."""

    def __init__(self, most: int = 1000) -> None:
        self.calls, self.most = 0, most

    def value(self, setting: Setting) -> float:
        if self.calls == self.most:
            raise KeyboardInterrupt
        self.calls += 1
        return bowl(setting) / 3

    def values_as_it_is(self) -> Any:
        return np.full(3, -100.0)

    def fitted(self, setting: Setting, *_: Any) -> Recipe:
        return setting.applied(BASE)


def choose(measuring: Measuring, work: Path, trials: int = 20, **decisive: object) -> Choice:
    with WorkFolder(work, {"trials": trials, **decisive}) as memory:
        return choose_recipe(measuring, BASE, SPACE, memory, trials=trials)


def test_stopped_work_goes_on_and_ends_alike(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        choose(Counted(7), tmp_path / "a")
    assert len(json.loads((tmp_path / "a" / "settings.json").read_text())) == 7
    again = Counted()
    resumed = choose(again, tmp_path / "a")
    assert again.calls == 20 - 7
    assert resumed == choose(Counted(), tmp_path / "b")


def test_a_setting_that_finds_too_little_is_the_worst_unless_it_is_the_base(
    tmp_path: Path,
) -> None:
    class Narrow(Counted):
        def value(self, setting: Setting) -> float:
            if setting.history < least:
                raise UsageError("Only 9 users have a held-out item among their candidates.")
            return 1.0 + super().value(setting) / 100

    least = 20
    found = choose(Narrow(), tmp_path / "a")
    assert found.recipe.fusion.history >= 20
    assert {one.value for one in found.tried if one.setting.history < 20} == {0.0}
    least = 1000
    with pytest.raises(UsageError, match="Only 9 users"):
        choose(Narrow(), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_work_of_other_options_or_of_another_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        choose(Counted(3), tmp_path / "a")
    with pytest.raises(UsageError, match="unfinished tuning with other options or data"):
        choose(Counted(), tmp_path / "a", seed=1)
    with (
        WorkFolder(tmp_path / "a", {"trials": 20}),
        pytest.raises(ConflictError, match="Another tuning works in"),
    ):
        choose(Counted(), tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written.*"):
        choose(Counted(), tmp_path / "file" / "work")


def test_a_folder_without_any_setting_does_not_stay(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        choose(Counted(0), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


class Nothing:
    """Remembers nothing."""

    def value(self, setting: Setting) -> None:
        return None

    def remember(self, setting: Setting, value: float) -> None:
        pass


def with_scores(*, helps: bool, by: str = "rerank") -> tuple[Measuring, list[set[int]]]:
    """Return users with eight candidates; a re-ranker finds each target, or scores by chance."""
    chance = np.random.default_rng(5)
    n, each = 400, 8
    targets = chance.integers(0, each, n)
    features = np.zeros((n * each, len(FEATURES)), np.float32)
    co_recent = chance.normal(size=(n, each))
    co_recent[np.arange(n), targets] += 0.7
    scores = chance.normal(size=(n, each))
    if helps:
        scores[np.arange(n), targets] += 1
    names = list(FEATURES)
    features[:, names.index("co_recent")] = co_recent.ravel()
    features[:, names.index(by)] = scores.ravel()
    found = CandidateSet(
        np.tile(np.arange(each), n),
        features,
        np.ones((n, len(CONTEXTS))),
        np.arange(0, n * each + 1, each),
    )
    wanted = [{int(target)} for target in targets]
    return Measuring(lambda _: (np.arange(n), found), wanted, BASE, "ndcg", 3, seed=0), wanted


@pytest.mark.parametrize("helps", [True, False])
def test_a_re_ranker_joins_only_if_it_is_better_by_more_than_chance(helps: bool) -> None:
    measuring, _ = with_scores(helps=helps)
    joins = joins_of_reranker("fields")
    choice = choose_recipe(measuring, BASE, SPACE, Nothing(), trials=2, joins=joins)
    scores, items = choice.gains
    assert (scores.what, items.what) == (RERANKER, SEQUENCE)
    assert scores.is_used == helps
    assert choice.recipe.reranker == ("fields" if helps else None)
    coefficients = dict(choice.recipe.fusion.coefficients)
    assert ("rerank" in coefficients) == helps
    if helps:
        assert coefficients["rerank"] > 0
        assert scores.low > 0
    # The settings themselves were measured without it.
    alone = choose_recipe(measuring, BASE, SPACE, Nothing(), trials=2)
    assert alone.tried == choice.tried[:-2]
    last = choice.tried[-2]
    assert (last.has, last.value) == ({RERANKER}, scores.after)
    assert choice.tried[-1].has == {SEQUENCE} | ({RERANKER} if helps else set())
    assert not any(one.has for one in alone.tried)
    assert alone.gains == ()
    assert alone.recipe.reranker is None


@pytest.mark.parametrize("helps", [True, False])
def test_vectors_join_before_a_re_ranker_if_they_are_better(helps: bool) -> None:
    measuring, _ = with_scores(helps=helps, by="title_near_best")
    joins = [join_of_encoder("words"), *joins_of_reranker("fields")]
    choice = choose_recipe(measuring, BASE, SPACE, Nothing(), trials=2, joins=joins)
    assert [gain.is_used for gain in choice.gains] == [helps, False, False]
    recipe = choice.recipe
    assert (recipe.encoder, recipe.reranker) == ("words" if helps else None, None)
    assert ("title_vectors" in recipe.sources) == helps
    assert ("title_near_best" in dict(recipe.fusion.coefficients)) == helps
    assert choice.tried[-2].has == ({VECTORS, RERANKER} if helps else {RERANKER})


def test_the_column_of_scores_is_that_of_a_night() -> None:
    items = ItemVectors(
        np.array([3, 5]), with_last([[1.0], [-2.0]], [0.5, 0.25]), np.ones(2, np.bool_)
    )
    vectors = Vectors(items, {1: with_last([[2.0]], 1.0)[0]})
    users, of_items = np.array([0, 0, 1, 1, 1, 4]), np.array([3, 5, 5, 3, 9, 3])
    # User 1: -3.75 and 2.5, mean -0.625; item 9 has no vector, users 0 and 4 neither.
    expected = [0, 0, -3.125, 3.125, 0, 0]
    assert rerank_column(vectors)(users, of_items).tolist() == expected
    assert rerank_column(vectors)(users[:0], of_items[:0]).tolist() == []
