"""Defects of the public origin in training and measuring, each beside its defective form."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.split import EvalUser, Split, check_split
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.metadata import RecommenderData, collect_metadata
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.unit.reranking.shop import COLD, make, shop_data

OPTIONS = TowerOptions("both", history_length=5)


def test_6_a_catalog_is_read_once_for_all_users(
    data: RecommenderData, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(data, encoder)  # dynamic
    read: list[str] = []
    encode = encoder.encode_text
    monkeypatch.setattr(encoder, "encode_text", lambda texts: read.extend(texts) or encode(texts))
    users = range(len(data.histories))

    # Defective: all items are read for each user.
    for _ in users:
        model.snapshot()
    assert len(read) == len(data.histories) * len(data.items.texts)

    read.clear()
    snapshot = model.snapshot()
    scores = model.score_catalog(users, data.histories, snapshot)
    assert sorted(read) == sorted(data.items.texts)  # each distinct text once
    # Two towers: the score is one product, which an index of vectors can serve.
    vectors = model.score_catalog([3], [data.histories[3]], snapshot)
    torch.testing.assert_close(scores[3:4], vectors)
    u = torch.linalg.matrix_rank(scores - snapshot.biases)
    assert u <= model.dim


def test_8_order_counts_in_ndcg() -> None:
    def defective(found: list[int], target: int) -> float:
        """Ranks by the order in which a set is iterated."""
        rank = list(set(found)).index(target)
        return float(1 / np.log2(rank + 2))

    assert defective([3, 2, 1], 3) == defective([1, 2, 3], 3)
    first, last = (
        accuracy(as_lists([found], 3), [[3]])["ndcg"][0] for found in ([3, 2, 1], [1, 2, 3])
    )
    assert first == 1
    assert last == 0.5


def test_8_known_items_and_gaps_are_not_ranked(data: RecommenderData, encoder: TextEncoder) -> None:
    model = make(data, encoder, use_cache=True)
    users = list(range(len(data.histories)))
    snapshot = model.snapshot()
    scores = model.score_catalog(users, data.histories, snapshot)
    for user, history in enumerate(data.histories):  # known items score best
        scores[user, list(history)] += 100
    unmasked = scores[0].topk(len(data.histories[0])).indices.tolist()
    assert set(unmasked) == set(data.histories[0])  # defective
    lists = best_items(model, users, data.histories, 100, snapshot)
    for found, history in zip(lists, data.histories, strict=True):
        assert sorted(found) == sorted(set(range(len(data.items))) - set(history))

    # Defective: external ids as numbers. Ids 1, 2 and 9 make ten rows, of which three are items.
    assert max([1, 2, 9]) + 1 == 10
    with pytest.raises(DataError, match="not one of 3"):
        RecommenderData(collect_metadata([{"title": "a"}] * 3), [[1, 2, 9]])


def test_9_rows_are_not_shuffled_into_a_split() -> None:
    histories = {user: tuple(range(user, user + 8)) for user in range(20)}
    rows = [(user, item) for user, items in histories.items() for item in items]
    random.Random(1).shuffle(rows)
    cut = len(rows) * 8 // 10
    train: dict[int, tuple[int, ...]] = {}
    for user, item in rows[:cut]:
        train[user] = tuple(sorted((*train.get(user, ()), item)))
    held = {user: [item for u, item in rows[cut:] if u == user] for user in histories}
    # Defective: some held-out item is older than one of the training.
    assert any(items and min(items) < max(train[user]) for user, items in held.items())
    shuffled = Split(
        "shuffled",
        train,
        (),
        tuple(
            EvalUser(user, histories[user][: histories[user].index(min(items))], (min(items),))
            for user, items in held.items()
            if items
        ),
    )
    with pytest.raises(DataError, match="leaks"):
        check_split(shuffled)
    last = Split(
        "leave-one-out",
        {user: items[:-1] for user, items in histories.items()},
        (),
        tuple(EvalUser(user, items[:-1], items[-1:]) for user, items in histories.items()),
    )
    check_split(last)


def test_10_negatives_are_fresh_and_never_bought(data: RecommenderData) -> None:
    examples = NextItems(data, OPTIONS, batch_size=16, samples=30, seed=4)

    def negatives(epoch: int) -> list[list[int]]:
        return [batch.negatives.tolist() for batch in examples.batches(epoch)]

    assert negatives(0) == negatives(0)  # so that a killed training can be resumed
    assert negatives(0) != negatives(1)  # defective: drawn once for all epochs
    assert any(  # defective: purchases are among the negatives, here they are excluded
        item in data.histories[user]
        for batch in examples.batches(0)
        for user in batch.users.tolist()
        for item in batch.negatives.tolist()
    )
    drawn = set()
    for epoch in range(4):
        for batch in examples.batches(epoch):
            drawn |= set(batch.negatives.tolist())
            for row, user in enumerate(batch.users.tolist()):
                for column, item in enumerate(batch.negatives.tolist()):
                    bought = item in data.histories[user]
                    assert bool(batch.excluded[row, column]) == bought
    assert COLD in drawn  # items that nobody bought are negatives, too


def test_10_excluded_samples_change_no_loss(data: RecommenderData, encoder: TextEncoder) -> None:
    batch = next(NextItems(data, OPTIONS, batch_size=4, samples=30).batches(0))
    model = make(data, encoder, use_cache=True, contrastive_weight=0).eval()
    gradients = []
    for mask in (batch.excluded, torch.zeros_like(batch.excluded)):
        model.zero_grad()
        model.calculate_loss(replace(batch, excluded=mask)).total.backward()
        gradients.append(model.item_bias.grad.clone())
    everywhere = batch.excluded.all(0)
    only = [i for i in batch.negatives[everywhere].tolist() if i not in batch.positives.tolist()]
    assert not torch.equal(*gradients)
    assert all(gradients[0][item] == 0 for item in only)


def test_11_the_scheduler_of_the_origin_fails() -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    arguments: dict[str, Any] = {"verbose": True}
    with pytest.raises(TypeError, match="verbose"):
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)


@pytest.mark.parametrize("user_mode", ["id", "history", "both"])
def test_12_inputs_never_contain_the_label(user_mode: Any) -> None:
    data = shop_data()
    # Defective: a user's text made from all purchases contains each of its labels.
    assert all(item in history for history in data.histories for item in history)
    options = TowerOptions(user_mode, history_length=5)
    seen = 0
    for batch in NextItems(data, options, batch_size=16).batches(0):
        for user, positive, row, count in zip(
            batch.users.tolist(), batch.positives.tolist(), batch.rows, batch.counts, strict=True
        ):
            own = list(data.histories[user])
            history = [item for item in batch.histories[row].tolist() if item >= 0]
            known = history[::-1][:count]  # newest first, so the oldest ones are read
            assert positive not in known
            assert known == own[: own.index(positive)]
            seen += 1
    first = 1 if user_mode == "history" else 0
    assert seen == sum(len(history) - first for history in data.histories)
