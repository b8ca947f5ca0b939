"""Histories read in order: every place is an example, and reads what comes before it alone."""

import math
from collections import Counter
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.training import next_items
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.lab.training.reranker_options import RerankerOptions
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.history_sequence import oldest_first
from gpt4rec_es.reranking.metadata import RecommenderData, collect_metadata
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.unit.reranking.shop import first_batch, make, shop_data


def test_oldest_first() -> None:
    ordered, lengths = oldest_first(torch.tensor([[5, -1, 3, 4], [-1, -1, -1, -1], [-1, 7, -1, 8]]))
    assert ordered.tolist() == [[4, 3, 5], [-1, -1, -1], [8, 7, -1]]
    assert lengths.tolist() == [3, 0, 2]
    ordered, lengths = oldest_first(torch.full((2, 3), -1))
    assert ordered.tolist() == [[-1], [-1]]
    assert oldest_first(torch.zeros(0, 3).long())[0].shape == (0, 1)


@pytest.mark.parametrize(
    ("user_mode", "first", "blocks"),
    [("history", 1, 0), ("history", 1, 1), ("both", 0, 0), ("both", 0, 1), ("id", 0, 0)],
)
def test_each_item_is_an_example_once(
    monkeypatch: pytest.MonkeyPatch, user_mode: Any, first: int, blocks: int
) -> None:
    """Or each of the newest ones, where blocks read them."""
    monkeypatch.setattr(next_items, "_SPAN", 3)
    data = shop_data(30)
    options = TowerOptions(user_mode, history_length=5, blocks=blocks)
    examples = NextItems(data, options, batch_size=20, samples=4, seed=3)
    found, sizes = [], []
    for batch in examples.batches(0):
        sizes.append(len(batch.positives))
        for user, row, count, item in zip(
            batch.users.tolist(), batch.rows, batch.counts, batch.positives.tolist(), strict=True
        ):
            read = batch.histories[row]
            read = read[read >= 0].flip(0)[:count].tolist()
            found.append((user, tuple(read[-5:]), item))
    expected = [
        (
            user,
            tuple(history[max(0, place - 5, len(history) - 6 if blocks else 0) : place]),
            history[place],
        )
        for user, history in enumerate(data.histories)
        for place in range(max(first, len(history) - 5 if blocks else 0), len(history))
    ]
    assert sorted(found) == sorted(expected)
    assert len(examples) == len(expected)
    assert sum(sizes) / len(sizes) == pytest.approx(20, rel=0.3)


@pytest.mark.parametrize("blocks", [0, 2])
@pytest.mark.parametrize("user_mode", ["history", "both"])
def test_an_example_reads_what_comes_before_it_alone(
    monkeypatch: pytest.MonkeyPatch, gpt2_folder: Any, user_mode: Any, blocks: int
) -> None:
    monkeypatch.setattr(next_items, "_SPAN", 3)
    data = shop_data(30)
    model = make(
        data, open_encoder(gpt2_folder), freeze_gpt2=True, user_mode=user_mode, blocks=blocks
    ).eval()
    if not blocks:
        torch.nn.init.normal_(model.recency)
    batch = first_batch(data, user_mode, blocks=blocks)
    with torch.no_grad():
        read = model.read(
            batch.users, batch.histories, torch.arange(len(data.items)), (batch.rows, batch.counts)
        )
        together = read.users @ read.items.T + read.biases
    before = [
        batch.histories[row][batch.histories[row] >= 0].flip(0)[:count].tolist()
        for row, count in zip(batch.rows, batch.counts, strict=True)
    ]
    alone = model.score_catalog(batch.users.tolist(), before, model.snapshot())
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert len(batch.histories) < len(batch.positives)
    assert ([] in before) == (user_mode == "both")


def test_the_order_of_purchases_is_learned(gpt2_folder: Any) -> None:
    """In this shop the third purchase follows from the order of the first two."""
    rows = [{"title": f"Thing {n}"} for n in range(12)]
    orders = [[0, 1, 8], [1, 0, 9], [2, 3, 10], [3, 2, 11]]
    data = RecommenderData(collect_metadata(rows, ("title",)), orders * 10)
    settings: dict[str, Any] = {"user_mode": "history", "blocks": 1, "contrastive_weight": 0.0}
    model = make(data, open_encoder(gpt2_folder), freeze_gpt2=True, **settings)
    examples = NextItems(
        data, TowerOptions("history", history_length=5, blocks=1), batch_size=80, samples=12
    )
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for epoch in range(120):
        for batch in examples.batches(epoch):
            optimizer.zero_grad()
            model.calculate_loss(batch).total.backward()
            optimizer.step()
    firsts = best_items(model, [-1] * 4, [one[:2] for one in orders], 1, model.snapshot())
    assert firsts == [one[2:] for one in orders]


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_user_is_expected_as_often_as_it_has_rows(
    monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    monkeypatch.setattr(next_items, "_SPAN", 3)
    data = shop_data(30)
    options = TowerOptions("history", history_length=5, blocks=blocks)
    rows, log_q = Counter[int](), {}
    for batch in NextItems(data, options, batch_size=20).batches(0):
        owners = dict(zip(batch.rows.tolist(), batch.users.tolist(), strict=True))
        for row, user in owners.items():
            rows[user] += 1
            log_q[user] = float(batch.row_log_q[row])
    assert log_q == pytest.approx({u: math.log(n / rows.total()) for u, n in rows.items()})
    assert (len({*rows.values()}) == 1) == bool(blocks)


def test_what_blocks_cannot_read() -> None:
    with pytest.raises(UsageError, match="user mode 'id'"):
        TowerOptions("id", blocks=1)
    with pytest.raises(UsageError, match="-1 blocks"):
        TowerOptions("history", blocks=-1)
    # Before a training begins, so that no unfinished one is left.
    for wrong in ({"blocks": -1}, {"blocks": 1, "user_mode": "id"}, {"blocks": 1, "dim": 5}):
        with pytest.raises(UsageError, match="blocks cannot read"):
            RerankerOptions(**wrong)
    with pytest.raises(UsageError, match="history_length is 1001"):
        RerankerOptions(history_length=1001)
