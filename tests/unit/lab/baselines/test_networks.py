"""Losses, causality, padding and lists of trained baselines, on values computed by hand."""

import hashlib
import json
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch

from gpt4rec_es.cli.train_baseline import baseline
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines import network
from gpt4rec_es.lab.baselines.baseline_folder import NETWORKS, fingerprint, is_trained_on
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES, DEFAULTS, as_dict, options_of
from gpt4rec_es.lab.baselines.bert4rec import Bert4Rec
from gpt4rec_es.lab.baselines.bpr_mf import BprMf, Pairs
from gpt4rec_es.lab.baselines.content_rec import ContentRec
from gpt4rec_es.lab.baselines.fm_bpr import FmBpr
from gpt4rec_es.lab.baselines.network import BaselineData, best_of_rows
from gpt4rec_es.lab.baselines.sasrec import SasRec
from gpt4rec_es.lab.baselines.sasrec_text import (
    SasRecText,
    principal_components,
    require_titles,
    start_by_titles,
)
from gpt4rec_es.lab.baselines.youtube_dnn import YouTubeDnn
from gpt4rec_es.lab.sequences.sorted_batches import windows

HISTORIES = [[0, 1, 2], [3, 1], [4], [5, 4, 3, 2, 1, 0]]
BRANDS = ["x", "x", None, "y", None, "y", "x", None]
CATEGORIES = ["a > b", "a", "a", None, None, "a > b", "a", None]
FIELDS = [
    ItemFields(n, f"item {n} of a kind", brand, category, None)
    for n, (brand, category) in enumerate(zip(BRANDS, CATEGORIES, strict=True))
]
DATA = BaselineData(HISTORIES, 8, FIELDS)


def bpr_mf(**changes: Any) -> BprMf:
    torch.manual_seed(0)
    return BprMf(DATA, options_of("bpr_mf", dim=4, **changes))


def fm_bpr(**changes: Any) -> FmBpr:
    torch.manual_seed(0)
    return FmBpr(DATA, options_of("fm_bpr", dim=4, **changes))


def youtube_dnn(**changes: Any) -> YouTubeDnn:
    torch.manual_seed(0)
    chosen = {"dim": 4, "length": 3, "dropout": 0.0, "samples": 0, **changes}
    return YouTubeDnn(DATA, options_of("youtube_dnn", **chosen))


def content_rec(**changes: Any) -> ContentRec:
    torch.manual_seed(0)
    fields = [*FIELDS[:7], ItemFields(7, None, None, None, None)]
    options = options_of("content_rec", **{"dim": 4, "length": 3, "samples": 2, **changes})
    return ContentRec(BaselineData(HISTORIES, 8, fields), options)


def bert4rec(**changes: Any) -> Bert4Rec:
    torch.manual_seed(0)
    chosen = {"dim": 8, "length": 4, "dropout": 0.0, **changes}
    return Bert4Rec(DATA, options_of("bert4rec", **chosen))


def sasrec(**changes: Any) -> SasRec:
    torch.manual_seed(0)
    chosen = {"dim": 8, "length": 4, "dropout": 0.0, **changes}
    return SasRec(DATA, options_of("sasrec", **chosen))


def set_vectors(network: BprMf, user: list[float], items: dict[int, list[float]]) -> None:
    with torch.no_grad():
        network.users.weight[0] = torch.tensor(user)
        for item, values in items.items():
            network.items.weight[item] = torch.tensor(values)


def one_pair() -> tuple[Any, Any, Any]:
    return torch.tensor([0]), torch.tensor([1]), torch.tensor([[3]])


def test_the_loss_of_a_pair() -> None:
    network = bpr_mf(l2=0.0)
    set_vectors(network, [1, 0, 2, 0], {1: [1, 5, 0.5, 0], 3: [0.5, 5, 0, 1]})
    with torch.no_grad():
        network.bias[1], network.bias[3] = 0.25, 0.5
    # Scores 2 + .25 and .5 + .5: the margin is 1.25.
    loss = network.loss(*one_pair())
    assert float(loss.detach()) == pytest.approx(log(1 + exp(-1.25)))
    loss.backward()
    # d loss / d margin = -sigmoid(-margin); the paper's update of each weight follows from it.
    slope = -1 / (1 + exp(1.25))
    assert network.users.weight.grad[0].tolist() == pytest.approx(
        [slope * 0.5, 0.0, slope * 0.5, -slope]
    )
    assert network.items.weight.grad[1].tolist() == pytest.approx([slope, 0, 2 * slope, 0])
    assert network.items.weight.grad[3].tolist() == pytest.approx([-slope, 0, -2 * slope, 0])
    assert network.bias.grad[[1, 3]].tolist() == pytest.approx([slope, -slope])
    assert not network.users.weight.grad[1:].any()


def test_squares_of_the_weights_of_a_pair() -> None:
    network = bpr_mf(l2=0.1)
    set_vectors(network, [1, 0, 2, 0], {1: [0, 3, 0, 0], 3: [0, 0, 0, 1]})
    with torch.no_grad():
        network.bias[1] = 0.5
    margin = 0.5
    squares = 5 + 9 + 1 + 0.25
    assert float(network.loss(*one_pair()).detach()) == pytest.approx(
        log(1 + exp(-margin)) + 0.1 * squares
    )


def test_negatives_were_not_bought() -> None:
    pairs = Pairs(HISTORIES, 8)
    seen = []
    for users, items, negatives in pairs.batches(5, 3, np.random.default_rng(1)):
        assert negatives.shape == (len(users), 3)
        for user, item, drawn in zip(
            users.tolist(), items.tolist(), negatives.tolist(), strict=True
        ):
            seen.append((user, item))
            assert not set(drawn) & set(HISTORIES[user])
    assert sorted(seen) == [
        (user, item) for user, own in enumerate(HISTORIES) for item in sorted(own)
    ]


def test_a_user_of_everything_ends_the_draws() -> None:
    assert len(list(Pairs([[0, 1]], 2).batches(5, 1, np.random.default_rng(1)))) == 1


def test_an_unseen_user_is_the_mean_of_the_items() -> None:
    network = bpr_mf()
    with torch.no_grad():
        found = network.scores(torch.tensor([-1, 2]), [[1, 3], [1, 3]])
    items = network.items.weight.detach()
    mean = (items[1] + items[3]) / 2
    torch.testing.assert_close(found[0], items @ mean)
    torch.testing.assert_close(found[1], items @ network.users.weight.detach()[2])
    torch.testing.assert_close(network.users.weight, bpr_mf().users.weight)  # unchanged


def test_a_factorisation_machine_is_the_sum_of_all_pairs() -> None:
    network = fm_bpr()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights))
        network.features.weight[0] = 0
        network.feature_bias.weight[0] = 0
        found = network.scores(torch.tensor([1]), [[3]])[0]
    category, brand = network.places[0].tolist()
    assert network.places[5].tolist() == [category, brand + 1]
    assert network.places[4].tolist() == [0, 0]
    vectors = [network.users.weight[1], network.items.weight[0]]
    vectors += [network.features.weight[category], network.features.weight[brand]]
    expected = network.bias[0] + network.feature_bias.weight[[category, brand]].sum()
    for n, first in enumerate(vectors):
        expected = expected + sum(first @ second for second in vectors[n + 1 :])
    assert float(found[0]) == pytest.approx(float(expected.detach()), rel=1e-4)
    # Item 6 was never bought: like item 1 without its own vector and bias.
    with torch.no_grad():
        network.items.weight[1] = 0
        network.bias[1] = 0
        again = network.scores(torch.tensor([1]), [[3]])[0]
    assert float(again[6]) == pytest.approx(float(again[1]))
    assert float(found[6]) == pytest.approx(float(again[6]))


def test_a_new_user_of_a_factorisation_machine_is_the_mean_of_the_items_sums() -> None:
    network = fm_bpr()
    with torch.no_grad():
        found = network.scores(torch.tensor([-1]), [[1, 3]])[0]
        catalog = network.read(torch.arange(8))
    mean = (catalog.vectors[1] + catalog.vectors[3]) / 2
    torch.testing.assert_close(found, catalog.vectors @ mean + catalog.biases)


def test_cross_entropy_of_all_next_items() -> None:
    network = sasrec()
    items, following = torch.tensor([[0, 1], [3, 8]]), torch.tensor([[1, 2], [1, 8]])
    hidden = network.read(items).detach()
    losses = []
    for row, place, target in ((0, 0, 1), (0, 1, 2), (1, 0, 1)):
        scores = network.items.weight.detach()[:8] @ hidden[row, place]
        losses.append(float(scores.exp().sum().log() - scores[target]))
    loss = network.loss(items, following, torch.tensor([], dtype=torch.long))
    assert float(loss.detach()) == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_sampled_softmax_is_that_of_all_items_when_each_is_drawn_as_often_as_expected() -> None:
    network = sasrec()
    network.chances = torch.full((8,), 1 / 8)
    items, following = torch.tensor([[0, 1]]), torch.tensor([[1, 2]])
    whole = network.loss(items, following, torch.tensor([], dtype=torch.long))
    sampled = network.loss(items, following, torch.arange(8))
    assert float(sampled.detach()) == pytest.approx(float(whole.detach()), rel=1e-5)


def test_later_items_change_nothing_before_them() -> None:
    network = sasrec().eval()
    before = network.read(torch.tensor([[0, 1, 2, 3]]))
    after = network.read(torch.tensor([[0, 1, 5, 4]]))
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_padding_and_batch_mates_change_nothing() -> None:
    network = sasrec().eval()
    alone = network.read(torch.tensor([[3, 1]]))
    padded = network.read(torch.tensor([[3, 1, 8, 8], [0, 1, 2, 3]]))
    torch.testing.assert_close(alone[0], padded[0, :2])
    with torch.no_grad():
        together = network.scores(None, [[3, 1], [0, 1, 2, 3, 4, 5], [2]])
        apart = [network.scores(None, [h]) for h in ([3, 1], [2, 3, 4, 5], [2])]
    torch.testing.assert_close(together, torch.cat(apart))


def test_padding_learns_nothing() -> None:
    network = sasrec()
    network.loss(
        torch.tensor([[3, 8]]), torch.tensor([[1, 8]]), torch.tensor([], dtype=torch.long)
    ).backward()
    assert not network.items.weight.grad[8].any()


def test_every_purchase_but_the_first_is_an_example_within_the_length() -> None:
    network = sasrec(batch_size=2, samples=5)
    pairs = []
    for items, following, negatives in network.batches(DATA, 3):
        assert len(negatives) == 5
        assert int(negatives.max()) < 8
        for known, target in zip(items.tolist(), following.tolist(), strict=True):
            pairs += [(a, b) for a, b in zip(known, target, strict=True) if b != 8]
    assert sorted(pairs) == sorted([(0, 1), (1, 2), (3, 1), (4, 3), (3, 2), (2, 1), (1, 0)])


@pytest.mark.parametrize(("most", "shared"), [(5, 1), (4, 0), (2, 1), (1, 0)])
def test_windows_cover_whole_histories_and_the_newest_is_as_without_them(
    most: int, shared: int
) -> None:
    histories = [list(range(n)) for n in (1, 3, 5, 6, 23)]
    newest = [history[-most:] for history in histories]
    random = np.random.default_rng(1)
    assert windows(histories, most, shared, random, whole=False) == newest
    cuts = set()
    for _ in range(20):
        cut = [list(one) for one in windows(histories, most, shared, random, whole=True)]
        assert all(window in cut for window in newest)
        assert max(map(len, cut)) <= most
        pairs = Counter((a, b) for one in cut for a, b in pairwise(one))
        items = Counter(item for one in cut for item in one)
        if shared:  # each next item once
            assert pairs == Counter((n, n + 1) for h in histories for n in h[:-1])
        else:  # each item once
            assert items == Counter(item for history in histories for item in history)
        cuts.add(tuple(map(tuple, cut)))
    assert len(cuts) > 1 or most <= 2


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
def test_a_training_begins_by_guessing(name: str) -> None:
    random = np.random.default_rng(1)
    data = BaselineData([random.permutation(500)[:10].tolist() for _ in range(40)], 500)
    torch.manual_seed(0)
    found = NETWORKS[name](data, options_of(name, samples=0))
    # What is said with more confidence at first has to be unlearned.
    assert float(found.loss(*next(found.batches(data, 0))).detach()) == pytest.approx(
        log(500), abs=0.1
    )


def test_with_whole_histories_every_purchase_but_the_first_is_an_example() -> None:
    pairs = []
    for items, following, _ in sasrec(length=2, whole=True).batches(DATA, 3):
        for known, target in zip(items.tolist(), following.tolist(), strict=True):
            pairs += [(a, b) for a, b in zip(known, target, strict=True) if b != 8]
    expected = [(h[n], h[n + 1]) for h in HISTORIES for n in range(len(h) - 1)]
    assert sorted(pairs) == sorted(expected)


def test_principal_components_keep_distances_and_have_a_length_of_about_1() -> None:
    torch.manual_seed(0)
    flat = torch.randn(30, 3) @ torch.randn(3, 7) + 5  # three dimensions in seven
    found = principal_components(flat, 3)
    assert float(found.std()) == pytest.approx(3**-0.5, rel=1e-4)
    ratios = torch.pdist(found) / torch.pdist(flat)
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios), rtol=1e-3, atol=0)


def test_titles_with_common_words_start_near_each_other() -> None:
    torch.manual_seed(0)
    titles = ["red tea cup", "red tea pot", "garden gnome", "garden lamp", None, "blue tea cup"]
    network = SasRecText(BaselineData([[0, 1]], 6), options_of("sasrec_text", dim=3))
    before = network.items.weight.detach().clone()
    made_by = start_by_titles(network, titles, None)
    items = network.items.weight.detach()
    cosine = torch.cosine_similarity(items[0], items, dim=1)
    assert min(cosine[1], cosine[5]) > max(cosine[2], cosine[3])
    assert torch.equal(items[4], before[4])  # no title
    assert torch.equal(items[6], before[6])  # padding
    again = SasRecText(BaselineData([[0, 1]], 6), options_of("sasrec_text", dim=3))
    assert start_by_titles(again, titles, None) == made_by
    with pytest.raises(UsageError, match="5 titles are too few"):
        start_by_titles(sasrec(), titles, None)  # type: ignore[arg-type]


def test_a_user_is_the_mean_of_the_newest_items() -> None:
    network = youtube_dnn()
    weights = network.items.weight.detach()
    with torch.no_grad():
        found = network.scores(None, [[0, 1, 2, 3], [3], [2, 3, 1]])
        mean = network.layers((weights[1] + weights[2] + weights[3]) / 3)
        expected = network.targets.weight @ mean + network.bias
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[0], found[2])  # their order is nothing to a mean
    assert not torch.allclose(found[0], found[1])


def test_dropout_leaves_items_out_of_the_mean_but_the_newest() -> None:
    network = youtube_dnn(dropout=0.99)
    items = torch.tensor([[3, 1, 2]])
    with torch.no_grad():
        torch.testing.assert_close(network.read(items), network.read(torch.tensor([[3, -1, -1]])))
        network.eval()
        assert not torch.allclose(network.read(items), network.read(items[:, :1]))


def test_a_purchase_is_predicted_from_those_before_it() -> None:
    examples = []
    for items, following, negatives in youtube_dnn(batch_size=3).batches(DATA, 0):
        assert len(negatives) == 0
        examples += [
            ([i for i in known if i >= 0], target)
            for known, target in zip(items.tolist(), following.tolist(), strict=True)
        ]
    expected = [
        (list(reversed(history[max(0, place - 3) : place])), history[place])
        for history in HISTORIES
        for place in range(1, len(history))
    ]
    assert sorted(examples) == sorted(expected)


def test_an_item_is_the_mean_of_its_words_and_a_user_of_the_items() -> None:
    network = content_rec()
    words = network.words.weight.detach()
    catalog = network.vectors(torch.arange(8)).detach()
    # "item 0 of a kind" has the words 0 to 4, "item 1 of a kind" one other.
    torch.testing.assert_close(catalog[0], words[:5].mean(0))
    torch.testing.assert_close(catalog[1], words[[0, 5, 2, 3, 4]].mean(0))
    assert not catalog[7].any()
    with torch.no_grad():
        found = network.scores(None, [[5, 0, 1]])[0]
    mean = (catalog[5] + catalog[0] + catalog[1]) / 3
    expected = torch.cosine_similarity(catalog, mean.unsqueeze(0))
    torch.testing.assert_close(found, expected)
    # Without a title there is nothing to find an item by; without purchases there is.
    assert sorted(network.eval().lists([-1], [[0]], 9)[0]) == [1, 2, 3, 4, 5, 6]


def test_the_hinge_of_cosines() -> None:
    network = content_rec(margin=0.3)
    with torch.no_grad():
        catalog = torch.nn.functional.normalize(network.vectors(torch.arange(8)), dim=1)
    items, following = torch.tensor([[0, -1, -1]]), torch.tensor([1])
    cosine = catalog @ catalog[0]
    expected = [max(0.0, 0.3 - float(cosine[1] - cosine[other])) for other in (4, 5)]
    loss = network.loss(items, following, torch.tensor([4, 5])).detach()
    assert float(loss) == pytest.approx(sum(expected) / 2, rel=1e-5)
    # The purchase itself, drawn as a negative, counts nothing.
    loss = network.loss(items, following, torch.tensor([4, 1])).detach()
    assert float(loss) == pytest.approx(expected[0] / 2, rel=1e-5)


def test_a_batch_reads_its_own_items_as_the_whole_catalog_does() -> None:
    network = content_rec()
    items = torch.tensor([[3, 7, 0], [0, -1, -1], [7, 3, -1]])
    following, negatives = torch.tensor([1, 7, 1]), torch.tensor([6, 1, 0, 6])
    network.loss(items, following, negatives).backward()
    found = network.words.weight.grad
    assert found is not None
    network.words.weight.grad = None
    catalog = network.vectors(torch.arange(8))
    unit = torch.nn.functional.normalize(catalog, dim=1)
    users = network.users_of(items, catalog)
    margins = 0.3 - (users * unit[following]).sum(1, keepdim=True) + users @ unit[negatives].T
    same = negatives == following.unsqueeze(1)
    margins.clamp(min=0).masked_fill(same, 0).mean().backward()
    torch.testing.assert_close(network.words.weight.grad, found)


def test_a_gap_reads_both_sides_and_no_padding() -> None:
    network = bert4rec().eval()
    gap, padding = network.gap, network.padding
    with torch.no_grad():
        found = network.read(torch.tensor([[1, gap, 3]]))
        later = network.read(torch.tensor([[1, gap, 4]]))
        wider = network.read(torch.tensor([[1, gap, 3, padding], [1, 2, 3, 4]]))
        together = network.scores(None, [[3, 1], [0, 1, 2, 3, 4, 5], [2]])
        apart = [network.scores(None, [history]) for history in ([3, 1], [3, 4, 5], [2])]
    assert not torch.allclose(found[0, 1], later[0, 1])
    torch.testing.assert_close(found[0], wider[0, :3])
    torch.testing.assert_close(together, torch.cat(apart))


def test_gaps_hide_what_they_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt4rec_es.lab.baselines.bert4rec._UNCUT", 1)
    network = bert4rec(masked=0.4, batch_size=2)
    guessed = 0
    for epoch in range(30):
        rows = []
        for items, following, _ in network.batches(DATA, epoch):
            gaps = items == network.gap
            newest = (items != network.padding).sum(1) - 1
            assert gaps[torch.arange(len(items)), newest].all()
            assert torch.equal(gaps, following != network.padding)
            guessed += int(gaps.sum())
            whole = torch.where(gaps, following, items).tolist()
            rows += [[item for item in row if item != network.padding] for row in whole]
        assert sorted(rows) == sorted(history[-4:] for history in HISTORIES)
    # The newest of each window, and .4 of the other items.
    others = sum(min(len(history), 4) - 1 for history in HISTORIES)
    assert guessed / 30 == pytest.approx(len(HISTORIES) + 0.4 * others, rel=0.1)


def test_a_whole_history_does_not_always_end_with_its_newest_item() -> None:
    network = bert4rec()
    read = Counter[tuple[int, ...]]()
    for epoch in range(60):
        for items, following, _ in network.batches(DATA, epoch):
            whole = torch.where(items == network.gap, following, items).tolist()
            read.update(tuple(item for item in row if item < DATA.n_items) for row in whole)
    # Windows of 4: of histories as long the newest one is read, of shorter ones also beginnings.
    ends = {tuple(history[:n]) for history in HISTORIES for n in (2, 3) if n <= len(history) < 4}
    newest = {tuple(history[-4:]) for history in HISTORIES}
    assert set(read) == ends | newest
    short = next(history for history in HISTORIES if len(history) == 3)
    assert 60 * 0.6 < read[tuple(short)] < 60 * 0.9


def test_windows_of_whole_histories_have_all_their_items() -> None:
    network = bert4rec(whole=True)
    long = HISTORIES[3]
    for epoch in range(10):
        read: list[int] = []
        for items, following, _ in network.batches(BaselineData([long], 8, FIELDS), epoch):
            read += torch.where(items == network.gap, following, items).flatten().tolist()
        assert sorted(item for item in read if item < DATA.n_items) == sorted(long)


def test_only_gaps_count() -> None:
    network = bert4rec()
    gap, padding = network.gap, network.padding
    items = torch.tensor([[1, gap, 3], [gap, 2, padding]])
    following = torch.tensor([[padding, 2, padding], [5, padding, padding]])
    hidden, vectors = network.read(items).detach(), network.items.weight.detach()[:8]
    expected = 0.0
    for vector, target in ((hidden[0, 1], 2), (hidden[1, 0], 5)):
        scores = vectors @ vector
        expected += float(scores.exp().sum().log() - scores[target]) / 2
    loss = network.loss(items, following, torch.tensor([], dtype=torch.long)).detach()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [bpr_mf, fm_bpr, sasrec, youtube_dnn, content_rec, bert4rec])
def test_batches_follow_from_seed_and_epoch(make: Any) -> None:
    def first(seed: int, epoch: int) -> list[list[int]]:
        return [tensor.tolist() for tensor in next(make(seed=seed, samples=6).batches(DATA, epoch))]

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)


@pytest.mark.parametrize("make", [bpr_mf, fm_bpr, sasrec, youtube_dnn, content_rec, bert4rec])
def test_lists_leave_out_what_is_known_or_never_learned(make: Any) -> None:
    network = make().eval()
    users, histories = [0, -1, 2], [[0, 1, 2], [4, 5], []]
    lists = network.lists(users, histories, 10, [3])
    # Item 6 has metadata and no training event, item 7 neither.
    new = {6} if network.reads else set()
    assert [set(items) - new for items in lists] == [{4, 5}, {0, 1, 2}, {0, 1, 2, 4, 5}]
    assert all(new <= set(items) for items in lists)
    assert lists[2][0] == 1  # the most popular item for a user without a history
    assert network.lists(users, histories, 1, [3]) == [items[:1] for items in lists]
    assert network.lists([], [], 3) == []
    with pytest.raises(UsageError, match="k is 0"):
        network.lists(users, histories, 0)


def test_a_big_catalog_is_scored_for_few_users_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = sasrec().eval()
    users, histories = [0, -1, 2, 3, -1], [[0, 1, 2], [4, 5], [], [3], [1]]
    expected = net.lists(users, histories, 3)
    rows: list[int] = []
    scores = net._scores
    monkeypatch.setattr(
        net, "_scores", lambda own, read: rows.append(len(own)) or scores(own, read)
    )
    for most, numbers in ((17, [2, 2, 1]), (1, [1] * 5)):
        monkeypatch.setattr(network, "_SCORES", most)
        rows.clear()
        assert net.lists(users, histories, 3) == expected
        assert rows == numbers


@pytest.mark.parametrize("make", [bpr_mf, fm_bpr, sasrec, youtube_dnn, content_rec, bert4rec])
def test_an_item_that_never_learned_is_not_read(make: Any) -> None:
    network = make().eval()
    length = network.options.length if "length" in DEFAULTS[network.name] else 9
    newest = [5, 0, 1, 2, 7][-length:]
    with torch.no_grad():
        scores = network.scores(torch.tensor([-1]), [newest[:-1]])
    scores[0, [0, 1, 2, 5]] = -torch.inf
    scores[:, network.unlisted] = -torch.inf
    assert network.lists([-1], [[5, 0, 1, 2, 7]], 10) == best_of_rows(scores, 10)
    assert network.lists([-1], [[7]], 10) == network.lists([-1], [[]], 10)


def test_the_best_of_rows() -> None:
    none = -torch.inf
    rows = torch.tensor([[1, 3, 3, 2.0], [none, 5, none, none], [7, 7, 7, 7], [none] * 4])
    assert best_of_rows(rows, 3) == [[1, 2, 3], [1], [0, 1, 2], []]
    assert best_of_rows(rows, 1) == [[1], [1], [0], []]
    assert best_of_rows(rows, 9) == [[1, 2, 3, 0], [1], [0, 1, 2, 3], []]


@pytest.mark.parametrize("method", NETWORKS)
def test_a_folder_is_of_the_data_that_its_method_reads(method: str) -> None:
    document = {"method": method, "data": fingerprint(method, DATA)}
    changes = {"title": "new", "brand": "new", "category": "new", "price": Decimal(3)}
    refused = set()
    for name, value in changes.items():
        fields = [FIELDS[0]._replace(**{name: value}), *FIELDS[1:]]
        if not is_trained_on(document, BaselineData(HISTORIES, 8, fields)):
            refused.add(name)
    assert refused == set(NETWORKS[method].reads)
    assert not is_trained_on(document, BaselineData(HISTORIES[1:], 8, FIELDS))


def test_folders_with_a_hash_of_all_metadata_are_known() -> None:
    flat = np.array([item for history in HISTORIES for item in history], np.int64)
    lengths = np.array([len(history) for history in HISTORIES], np.int64)
    digest = hashlib.sha256(b"8 " + lengths.tobytes() + flat.tobytes())
    digest.update(json.dumps([one[1:] for one in FIELDS], default=str).encode())
    assert is_trained_on({"method": "fm_bpr", "data": digest.hexdigest()}, DATA)
    assert not is_trained_on({"method": "bpr_mf", "data": digest.hexdigest()}, DATA)


def test_the_command_offers_every_method_and_option() -> None:
    options = {option.name: option for option in baseline.params}
    assert tuple(options["method"].type.choices) == tuple(NETWORKS) == BASELINE_NAMES
    assert {name for own in DEFAULTS.values() for name in own} <= set(options)


def test_options_are_those_of_the_method() -> None:
    assert options_of("bpr_mf", dim=8, length=None).dim == 8
    assert "length" not in as_dict("bpr_mf", options_of("bpr_mf"))
    for name in BASELINE_NAMES:
        assert as_dict(name, options_of(name, seed=4))["seed"] == 4
    with pytest.raises(UsageError, match="no trained baseline 'x'"):
        options_of("x")
    with pytest.raises(UsageError, match="bpr_mf has no option length"):
        options_of("bpr_mf", length=3)
    with pytest.raises(UsageError, match="epochs is 0"):
        options_of("sasrec", epochs=0)
    with pytest.raises(UsageError, match="samples is at least 1"):
        options_of("bpr_mf", samples=0)
    with pytest.raises(UsageError, match="no multiple of heads"):
        options_of("sasrec", dim=9, heads=2)


@pytest.mark.parametrize("network", [youtube_dnn, content_rec])
def test_a_length_above_all_purchases_reads_all_of_them(network: Any) -> None:
    (long,), (short,) = (list(network(length=n).batches(DATA, 0)) for n in (100, 6))
    assert torch.equal(long[0][:, :6], short[0])
    assert (long[0][:, 6:] == -1).all()


def test_a_catalog_of_one_title_says_what_is_needed() -> None:
    with pytest.raises(UsageError, match=r"1 titles with words.* Import items with titles"):
        require_titles(["one", None, "!"], 1)
    with pytest.raises(UsageError, match=r"width 2\. Lower --dim, to 1 at most"):
        require_titles(["one", "two"], 2)
