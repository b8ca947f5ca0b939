"""Contract of every re-ranker: both networks, with each reading of fields, users and texts.

tests/postgres/test_trained_recommenders.py has that of trained folders beside baselines: what they
learn, splits, and seeds. This one needs no training and no server.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.checkpoint import open_recommender, save_recommender
from gpt4rec_es.reranking.learning import LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import MISSING, Metadata, RecommenderData, collect_metadata
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.encoders import save_tiny_gpt2
from tests.unit.reranking.shop import COLD, FIELDS, item_rows, shop_data

# Settings of GPT2RecommenderEnhanced by name; None: GPT2Recommender.
NETWORKS: dict[str, dict[str, Any] | None] = {
    "one text": None,
    "attention, cached": {"freeze_gpt2": True},
    "attention, adapters": {},
    "attention, whole GPT-2": {"use_peft": False},
    "gates, cached": {"freeze_gpt2": True, "use_attention": False},
    "gates, adapters": {"use_attention": False, "metadata_dim": 8},
    "sequence, cached": {"freeze_gpt2": True},
    "no contrast, BPR": {"freeze_gpt2": True, "loss": LossOptions("bpr", 0)},
}
KINDS = [
    *((name, "history", True) for name in NETWORKS),
    ("one text", "id", True),
    ("attention, cached", "id", False),
    ("attention, adapters", "both", True),
    ("sequence, cached", "both", False),
]
Make = Callable[[RecommenderData], LearningTowers]
K = 5


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("contract") / "tiny")


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: ", ".join(map(str, kind)))
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def make(kind: Any, gpt2: Path) -> Make:
    """Return the function that makes an untrained re-ranker of some data."""
    name, user_mode, _ = kind

    def made(data: RecommenderData) -> LearningTowers:
        settings, sizes = NETWORKS[name], (len(data.histories), len(data.items), 16, data)
        blocks = 2 if name.startswith("sequence") else 0
        options = TowerOptions(user_mode, history_length=5, blocks=blocks)
        encoder = open_encoder(gpt2)
        torch.manual_seed(0)
        if settings is None:
            return GPT2Recommender(*sizes, encoder=encoder, options=options)
        return GPT2RecommenderEnhanced(*sizes, encoder=encoder, options=options, **settings)

    return made


@pytest.fixture(scope="module")
def data(kind: Any) -> RecommenderData:
    return shop_data(with_users=kind[2])


@pytest.fixture(scope="module")
def model(make: Make, data: RecommenderData) -> LearningTowers:
    return make(data).train()  # all answers are without dropout


def lists(model: LearningTowers, users: list[int], histories: Any, k: int = K) -> list[list[int]]:
    return best_items(model, users, histories, k, model.snapshot())


@pytest.mark.parametrize("k", [1, K, 99])
def test_lists_are_short_enough_without_doubles_or_what_is_known(
    model: LearningTowers, data: RecommenderData, k: int
) -> None:
    for own, known in zip(
        lists(model, list(range(40)), data.histories, k), data.histories, strict=True
    ):
        assert len(own) == len(set(own)) == min(k, len(data.items) - len(known))
        assert not set(own) & set(known)
    assert lists(model, [], []) == []
    with pytest.raises(UsageError, match="k is 0"):
        lists(model, [0], [[]], 0)


def test_order_is_kept_and_the_batch_does_not_matter(
    model: LearningTowers, data: RecommenderData
) -> None:
    users, snapshot = list(range(40)), model.snapshot()
    together = model.score_catalog(users, data.histories, snapshot)
    reverse = model.score_catalog(users[::-1], data.histories[::-1], snapshot).flip(0)
    torch.testing.assert_close(reverse, together, rtol=1e-4, atol=1e-5)
    for user in (0, 7, 39):
        alone = model.score_catalog([user], [data.histories[user]], snapshot)
        torch.testing.assert_close(alone[0], together[user], rtol=1e-4, atol=1e-5)
        assert model.recommend(user, K) == lists(model, users, data.histories)[user]


def test_equal_seeds_give_equal_scores_again_and_again(
    model: LearningTowers, make: Make, data: RecommenderData
) -> None:
    first = model.score_catalog([3], [[1, 2]], model.snapshot())
    for other in (model, make(data)):
        assert torch.equal(other.score_catalog([3], [[1, 2]], other.snapshot()), first)


def test_users_that_are_not_in_the_training_data_are_served(model: LearningTowers) -> None:
    scores = model.score_catalog([MISSING] * 3, [[], [4], [4, 9]], model.snapshot())
    assert torch.isfinite(scores).all()
    reads_histories = model.options.user_mode != "id"
    assert torch.allclose(scores[0], scores[1]) == (not reads_histories)
    assert [len(own) for own in lists(model, [MISSING] * 2, [[], [4]])] == [K, K]


def test_new_items_are_read_by_their_metadata_alone(model: LearningTowers) -> None:
    rows = item_rows()
    found = model.read_new_items(collect_metadata([rows[COLD], rows[5], {}], FIELDS))
    assert torch.isfinite(found.vectors).all()
    known = model.snapshot().vectors[COLD]
    torch.testing.assert_close(found.vectors[0], known, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found.vectors[0], found.vectors[1], atol=1e-3)
    assert len(model.read_new_items(collect_metadata([], FIELDS)).vectors) == 0


def test_items_without_any_metadata_are_no_reason_to_fail(
    make: Make, data: RecommenderData
) -> None:
    nothing = torch.full_like(data.items.places, MISSING)
    bare = RecommenderData(Metadata(FIELDS, (), nothing), data.histories)
    model = make(bare)
    batch = next(NextItems(bare, model.options, batch_size=16, samples=8).batches(0))
    assert torch.isfinite(model.calculate_loss(batch).total)
    assert [len(own) for own in lists(model, [0, MISSING], [data.histories[0], []])] == [K, K]


def test_fields_and_numbers_that_are_not_known_are_refused(model: LearningTowers) -> None:
    with pytest.raises(DataError, match="unknown field 'colour'"):
        collect_metadata([{"colour": "red"}], FIELDS)
    with pytest.raises(DataError, match="The recommender knows title, style, price"):
        model.read_new_items(collect_metadata([{"title": "a", "colour": "red"}]))
    with pytest.raises(DataError, match="There is no user 40"):
        lists(model, [40], [[]])
    with pytest.raises(DataError, match="There is no item 26"):
        lists(model, [0], [[26]])


def test_a_saved_one_answers_as_before(
    model: LearningTowers, data: RecommenderData, gpt2: Path, tmp_path: Path
) -> None:
    save_recommender(model, tmp_path / "saved", {})
    opened = open_recommender(tmp_path / "saved", data, gpt2)
    users = list(range(40))
    expected = model.score_catalog(users, data.histories, model.snapshot())
    found = opened.score_catalog(users, data.histories, opened.snapshot())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
