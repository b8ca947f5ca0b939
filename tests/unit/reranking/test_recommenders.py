from dataclasses import replace
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.adapters import LoraOptions
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.learning import LossOptions, same_text
from gpt4rec_es.reranking.metadata import RecommenderData, collect_metadata
from gpt4rec_es.reranking.objectives import bpr, sampled_softmax
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced
from gpt4rec_es.reranking.text_table import take
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.trained import TITLES
from tests.unit.reranking.shop import COLD, FIELDS, first_batch, item_rows, make, shop_data

MODES = ("id", "history", "both")


def baseline(data: RecommenderData, encoder: TextEncoder, **settings: Any) -> GPT2Recommender:
    torch.manual_seed(0)
    options = TowerOptions("both", history_length=5, id_dropout=0.1)
    return GPT2Recommender(
        len(data.histories), len(data.items), 16, data, encoder=encoder, options=options, **settings
    )


def learn(model: Any, data: RecommenderData, epochs: int = 25) -> list[float]:
    """Train with the examples of ``data`` and return the ranking loss of each epoch."""
    optimizer = torch.optim.AdamW(model.parameter_groups(5e-3, 1e-3))
    examples = NextItems(data, model.options, batch_size=64, samples=20)
    losses = []
    for epoch in range(epochs):
        model.train()
        parts = []
        for batch in examples.batches(epoch):
            optimizer.zero_grad()
            loss = model.calculate_loss(batch)
            loss.total.backward()
            optimizer.step()
            parts.append(loss.ranking.item())
        losses.append(sum(parts) / len(parts))
    model.eval()
    return losses


@pytest.mark.parametrize("user_mode", MODES)
@pytest.mark.parametrize("with_users", [False, True])
@pytest.mark.parametrize("use_attention", [False, True])
def test_every_weight_gets_a_gradient(
    encoder: TextEncoder, user_mode: Any, with_users: bool, use_attention: bool
) -> None:
    data = shop_data(with_users=with_users)
    model = make(
        data, encoder, user_mode=user_mode, use_attention=use_attention, id_dropout=0.3
    ).train()
    loss = model.calculate_loss(first_batch(data, user_mode, size=60))
    loss.total.backward()
    assert torch.isfinite(loss.total)
    without = {
        name
        for name, weights in model.named_parameters()
        if weights.requires_grad and weights.grad is None
    }
    assert without == set()


@pytest.mark.parametrize("objective", ["softmax", "bpr"])
def test_it_learns_which_style_a_user_buys(encoder: TextEncoder, objective: Any) -> None:
    data = shop_data(120)
    model = make(data, encoder, use_cache=True, loss=LossOptions(objective), user_mode="both")
    losses = learn(model, data)
    assert losses[-1] < 0.8 * losses[0]
    # A user that is not in the training data, with two garden items.
    garden = [place for place, title in enumerate(TITLES) if title.startswith("garden ")]
    (found,) = best_items(model, [-1], [garden[:2]], 3, model.snapshot())
    assert set(found) <= set(garden[2:]) | {TITLES.index("garden")}


def test_dynamic_reading_teaches_the_adapters(encoder: TextEncoder) -> None:
    data = shop_data(40)
    model = make(data, encoder)
    before = model.table.whole().clone()
    losses = learn(model, data, epochs=4)
    assert losses[-1] < losses[0]
    assert not torch.allclose(model.table.whole(), before, atol=1e-3)


def test_the_baseline_learns_from_one_text_per_item(encoder: TextEncoder) -> None:
    data = shop_data(120, with_users=True)
    model = baseline(data, encoder)
    losses = learn(model, data)
    assert losses[-1] < 0.8 * losses[0]
    assert encoder.is_frozen
    with pytest.raises(UsageError, match="never learns"):
        model.set_phase("dynamic")
    model.set_phase("cached")
    new = model.read_new_items(collect_metadata(item_rows()[:2], FIELDS))
    assert new.vectors.shape == (2, 16)
    with pytest.raises(DataError, match="The recommender knows title, style, price"):
        model.read_new_items(collect_metadata([{"title": "a"}]))


def test_cached_and_dynamic_phase_give_equal_scores(
    data: RecommenderData, encoder: TextEncoder
) -> None:
    model = make(data, encoder, use_cache=True).eval()
    cached = model.score_catalog([0, 5], [[1], []], model.snapshot())
    loss = model.calculate_loss(first_batch(data)).total
    model.set_phase("dynamic")
    model.eval()
    found = model.score_catalog([0, 5], [[1], []], model.snapshot())
    torch.testing.assert_close(found, cached, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        model.calculate_loss(first_batch(data)).total, loss, rtol=1e-3, atol=1e-3
    )


def test_cold_items_go_the_way_of_metadata(data: RecommenderData, encoder: TextEncoder) -> None:
    model = make(data, encoder, use_cache=True).eval()
    snapshot = model.snapshot()
    with torch.no_grad():  # an embedding and a bias that never learned
        model.item_ids.table.weight[COLD] = 99
        model.item_bias[COLD] = 99
    after = model.snapshot()
    torch.testing.assert_close(after.vectors[COLD], snapshot.vectors[COLD])
    assert after.biases[COLD] == model.other_bias
    # A new item of the same metadata is the same vector; a known one has its own.
    new = model.read_new_items(collect_metadata([{"title": TITLES[0]}, {}], FIELDS))
    torch.testing.assert_close(new.vectors[0], snapshot.vectors[COLD], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(snapshot.vectors[0], snapshot.vectors[COLD], atol=0.01)
    assert torch.isfinite(new.vectors).all()  # also without metadata


def test_id_dropout_teaches_the_way_of_metadata(encoder: TextEncoder) -> None:
    data = shop_data(40)
    model = make(data, encoder, use_cache=True, id_dropout=0.5, contrastive_weight=0).train()
    model.calculate_loss(first_batch(data)).total.backward()
    assert model.item_ids.other.grad.abs().sum() > 0
    assert model.user_ids.other.grad.abs().sum() > 0
    model.zero_grad()
    model.eval()
    model.calculate_loss(first_batch(data)).total.backward()
    # Items that are cold use it always.
    assert model.user_ids.other.grad.abs().sum() == 0


@pytest.mark.parametrize("user_mode", MODES)
@pytest.mark.parametrize("with_users", [False, True])
def test_users_that_are_not_in_the_training_data(
    encoder: TextEncoder, user_mode: Any, with_users: bool
) -> None:
    data = shop_data(with_users=with_users)
    model = make(data, encoder, use_cache=True, user_mode=user_mode)
    snapshot = model.snapshot()
    scores = model.score_catalog([-1, -1, -1], [[3, 4], [9], []], snapshot)
    assert torch.isfinite(scores).all()
    assert torch.allclose(scores[0], scores[1]) == (user_mode == "id")
    if user_mode == "history" and not with_users:  # the number plays no part
        torch.testing.assert_close(model.score_catalog([7], [[3, 4]], snapshot), scores[:1])


def test_lists_have_no_known_items(data: RecommenderData, encoder: TextEncoder) -> None:
    model = make(data, encoder, use_cache=True)
    found = model.recommend(3, 6)
    assert len(found) == len(set(found)) == 6
    assert not set(found) & set(data.histories[3])
    assert len(best_items(model, [3], [data.histories[3]], 999, model.snapshot())[0]) == len(
        data.items
    ) - len(data.histories[3])
    (shorter,) = best_items(model, [3], [data.histories[3]], 6, model.snapshot(), found[:2])
    assert shorter[:4] == found[2:]
    with pytest.raises(UsageError, match="k is 0"):
        model.recommend(3, 0)


def test_the_content_of_a_batch_does_not_change_scores(
    data: RecommenderData, encoder: TextEncoder
) -> None:
    model = make(data, encoder, use_cache=True)
    snapshot = model.snapshot()
    together = model.score_catalog([0, 1, 2], data.histories[:3], snapshot)
    for user in range(3):
        alone = model.score_catalog([user], [data.histories[user]], snapshot)
        torch.testing.assert_close(alone[0], together[user], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("user_mode", MODES)
def test_pairs_have_the_scores_of_the_catalog(encoder: TextEncoder, user_mode: Any) -> None:
    data = shop_data(with_users=True)
    model = make(data, encoder, use_cache=True, user_mode=user_mode).eval()
    with torch.no_grad():
        model.item_bias.uniform_(-1, 1)
    users, positives, negatives = torch.tensor([[3, 0, 3], [0, 0, 0], [7, COLD, 9]])
    positives[:] = torch.tensor([data.histories[3][-1], data.histories[0][0], 8])
    found = model((users, positives, negatives))
    before = [data.histories[3][:-1], [], data.histories[3]]
    catalog = model.score_catalog([3, 0, 3], before, model.snapshot())
    for scores, items in zip(found, (positives, negatives), strict=True):
        expected = catalog[torch.arange(3), items]
        torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
    assert found[0].requires_grad


def test_predictions_are_probabilities_with_the_order_of_lists(
    data: RecommenderData, encoder: TextEncoder
) -> None:
    model = make(data, encoder, use_cache=True)
    items = range(len(data.items))
    found = torch.stack([model.predict([user] * len(items), items) for user in (3, 5)])
    torch.testing.assert_close(found.exp().sum(1), torch.ones(2))
    best = [n for n in found[0].argsort(descending=True).tolist() if n not in data.histories[3]]
    assert best[:6] == model.recommend(3, 6)
    mixed = model.predict([5, 3, 5], [2, 2, 4])
    torch.testing.assert_close(mixed, torch.stack([found[1, 2], found[0, 2], found[1, 4]]))
    with pytest.raises(DataError, match="There is no item 26"):
        model.predict([3], [26])


@pytest.mark.parametrize("objective", ["softmax", "bpr"])
def test_no_loss_would_teach_a_bias_of_users(objective: str) -> None:
    bias = torch.zeros(3, requires_grad=True)
    positive, negative = torch.tensor([1.0, 0.2, -2.0]), torch.tensor([[0.3, 2.0]] * 3)
    given = positive + bias, negative + bias.unsqueeze(1)
    nothing = torch.zeros(3, 2, dtype=torch.bool)
    if objective == "bpr":
        bpr(*given, nothing).backward()
    else:
        sampled_softmax(*given, torch.tensor([0.1, 0.7]), nothing).backward()
    torch.testing.assert_close(bias.grad, torch.zeros(3))


def test_equal_titles_are_no_negatives() -> None:
    metadata = collect_metadata(
        [{"title": "a", "price": "1"}, {"title": "a"}, {"price": "1"}, {"price": "1"}, {}]
    )
    assert same_text(metadata.places).long().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_users_without_attributes_are_learned(encoder: TextEncoder) -> None:
    """Where all users of the training have some, as if they had none."""
    data = shop_data(with_users=True)
    model = make(data, encoder, use_cache=True, user_mode="history", id_dropout=0.0)
    users, histories = torch.zeros(400, dtype=torch.long), torch.zeros(400, 1, dtype=torch.long)
    model.user_fusion.dropout.rate = model.item_fusion.dropout.rate = 0.0

    def vectors(users: Any) -> Any:
        with torch.no_grad():
            return model.read(users, histories, torch.tensor([0])).users

    model.eval()
    served = [vectors(users)[:1], vectors(torch.full((400,), -1))[:1]]
    model.train()
    read = vectors(users)
    differs = (read - served[0]).abs().amax(1) > 1e-5
    assert 10 < differs.sum() < 90
    torch.testing.assert_close(read[differs], served[1].expand(int(differs.sum()), -1))


def test_items_of_one_title_are_not_contrasted(encoder: TextEncoder) -> None:
    def contrast(*titles: str) -> float:
        rows = [{"title": title} for title in titles]
        data = RecommenderData(collect_metadata(rows), [[0, 1]])
        model = make(data, encoder, use_cache=True, user_mode="history").eval()
        batch = first_batch(data, "both")
        return float(model.calculate_loss(batch).contrastive)

    assert contrast("pot", "clock") > 0
    assert contrast("pot", "pot") == 0


def test_a_batch_reads_each_distinct_text_once(
    data: RecommenderData, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, read = make(data, encoder, use_peft=False).train(), []
    whole = encoder.encode_text_train
    monkeypatch.setattr(
        encoder, "encode_text_train", lambda texts: read.extend(texts) or whole(texts)
    )
    model.calculate_loss(first_batch(data))
    assert len(read) == len({*read}) <= len(data.items.texts)
    assert read


def test_texts_are_taken_at_their_places() -> None:
    table = torch.randn(5, 3)
    places = torch.tensor([[4, -1, 0], [0, 0, 4], [-1, -1, -1]])
    found = take(table, places, lambda rows: 2 * rows)
    expected = torch.where(places.unsqueeze(2) < 0, 0, 2 * table[places])
    torch.testing.assert_close(found, expected)


def test_the_contrastive_term_is_weighted(data: RecommenderData, encoder: TextEncoder) -> None:
    batch = first_batch(data)
    model = make(data, encoder, use_cache=True, contrastive_weight=0.5).eval()
    loss = model.calculate_loss(batch)
    assert loss.contrastive > 0
    torch.testing.assert_close(loss.total.detach(), loss.ranking + 0.5 * loss.contrastive)
    plain = make(data, encoder, use_cache=True, contrastive_weight=0)
    assert not hasattr(plain, "item_views")
    assert plain.calculate_loss(batch).contrastive == 0


def test_a_batch_of_one_has_no_contrast(data: RecommenderData, encoder: TextEncoder) -> None:
    model, batch = make(data, encoder, use_cache=True), first_batch(data, size=1)
    parts = ("users", "positives", "rows", "counts", "excluded")
    one = replace(batch, **{name: getattr(batch, name)[:1] for name in parts})
    assert model.calculate_loss(one).contrastive == 0


def test_settings_of_the_gpt2(data: RecommenderData, gpt2_folder: Any) -> None:
    sizes = len(data.histories), len(data.items), 16, data
    frozen = GPT2RecommenderEnhanced(*sizes, gpt2_folder, freeze_gpt2=True)
    assert frozen.table.phase == "cached"
    assert not frozen.table.encoder.adapters
    with pytest.raises(UsageError, match="stays frozen"):
        frozen.set_phase("dynamic")
    config = LoraOptions(rank=2)
    adapted = GPT2RecommenderEnhanced(*sizes, gpt2_folder, peft_config=config, metadata_dim=8)
    assert adapted.table.phase == "dynamic"
    learning = [n for n, w in adapted.table.encoder.named_parameters() if w.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    assert adapted.item_fusion.to_key.in_features == 8
    whole = GPT2RecommenderEnhanced(*sizes, gpt2_folder, use_peft=False)
    assert all(weights.requires_grad for weights in whole.table.encoder.parameters())
    assert GPT2Recommender(*sizes, gpt2_folder).table.phase == "cached"


def test_an_optimiser_that_mixes_weights_is_refused(
    data: RecommenderData, encoder: TextEncoder
) -> None:
    model = make(data, encoder)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(UsageError, match="among the others"):
        model.set_phase("cached", optimizer)


def test_bad_requests(data: RecommenderData, gpt2_folder: Any) -> None:
    encoder = open_encoder(gpt2_folder)
    with pytest.raises(UsageError, match="40 users and 26 items, not 1 and 2"):
        GPT2Recommender(1, 2, 16, data, encoder=encoder)
    with pytest.raises(UsageError, match="no multiple of 4 heads"):
        GPT2RecommenderEnhanced(40, 26, 15, data, encoder=encoder)
    with pytest.raises(UsageError, match="no user mode"):
        TowerOptions("name")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="history length"):
        TowerOptions(history_length=0)
    with pytest.raises(UsageError, match="no loss"):
        LossOptions("mse")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="temperature"):
        LossOptions(temperature=0)
    model = make(data, encoder, use_cache=True)
    with pytest.raises(DataError, match="There is no user 40"):
        model.score_catalog([40], [[]], model.snapshot())
    with pytest.raises(DataError, match="There is no item 26"):
        model.score_catalog([0], [[26]], model.snapshot())
    with pytest.raises(DataError, match="Items have the fields title"):
        model.read_new_items(collect_metadata([{"title": "a"}]))


def test_equal_scores_are_in_the_order_of_item_numbers() -> None:
    class Tied:
        """Scores with many ties, one user's list all equal."""

        @staticmethod
        def score_catalog(*_: object) -> torch.Tensor:
            return torch.tensor([[1.0, 3, 3, 2, 3, 2], [0.0] * 6, [-1.0, 2, 2, 2, 2, 5]])

    def lists(k: int) -> list[list[int]]:
        known = [[4], [0], [5, 0]]
        return best_items(Tied(), [0, 1, 2], known, k, None)  # type: ignore[arg-type]

    assert lists(3) == [[1, 2, 3], [1, 2, 3], [1, 2, 3]]
    assert lists(99) == [[1, 2, 3, 5, 0], [1, 2, 3, 4, 5], [1, 2, 3, 4]]
