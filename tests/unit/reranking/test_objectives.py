import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from gpt4rec_es.reranking.objectives import bpr, info_nce, sampled_softmax

# Made by benchmarks/ntxent_values.py.
NTXENT = Path(__file__).parents[2] / "data" / "ntxent.json"


def test_sampled_softmax_by_hand() -> None:
    positive = torch.tensor([2.0, 0.0])
    negative = torch.tensor([[1.0, 5.0], [1.0, 3.0]])
    expected = torch.tensor([0.5, 2.0]).log()
    excluded = torch.tensor([[False, True], [False, False]])
    first = math.log(math.exp(2) + math.exp(1) / 0.5) - 2
    second = math.log(1 + math.exp(1) / 0.5 + math.exp(3) / 2)
    found = sampled_softmax(positive, negative, expected, excluded)
    assert found.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_correction_makes_the_sum_over_items_unbiased() -> None:
    """All samples of two items by popularity, weighted by their probability."""
    scores = torch.tensor([0.3, -1.0, 2.0, 0.7])
    chances = torch.tensor([0.1, 0.5, 0.3, 0.1])
    positive, excluded_item = 1, 3
    sums = 0.0
    for drawn in itertools.product(range(4), repeat=2):
        items = torch.tensor(drawn)
        loss = sampled_softmax(
            scores[[positive]],
            scores[items].unsqueeze(0),
            (2 * chances[items]).log(),
            ((items == positive) | (items == excluded_item)).unsqueeze(0),
        )
        sums += float(chances[items].prod() * (loss + scores[positive]).exp())
    assert sums == pytest.approx(float(scores[:3].exp().sum()), rel=1e-5)


def test_without_the_correction_popular_items_would_be_pushed_down() -> None:
    scores, chances = torch.zeros(2, requires_grad=True), torch.tensor([0.9, 0.1])
    for correct in (False, True):
        gradients = []
        for drawn in range(2):
            logits = scores[[drawn]].unsqueeze(0)
            expected = chances[[drawn]].log() if correct else torch.zeros(1)
            loss = sampled_softmax(torch.full((1,), 9.0), logits, expected, torch.zeros(1, 1) > 0)
            gradients.append(torch.autograd.grad(loss, scores)[0][drawn] * chances[drawn])
        ratio = float(gradients[0] / gradients[1])
        assert ratio == pytest.approx(1 if correct else 9, rel=0.01)


def test_bpr_by_hand() -> None:
    positive, negative = torch.tensor([1.0]), torch.tensor([[0.0, 9.0]])
    found = bpr(positive, negative, torch.tensor([[False, True]]))
    assert found.item() == pytest.approx(-math.log(1 / (1 + math.exp(-1))))
    assert bpr(positive, negative, torch.ones(1, 2, dtype=torch.bool)).item() == 0


def test_info_nce_is_the_symmetric_cross_entropy_of_scaled_products() -> None:
    torch.manual_seed(2)
    first, second = torch.randn(5, 4), torch.randn(5, 4)
    cosines = functional.cosine_similarity(first.unsqueeze(1), second.unsqueeze(0), dim=2)
    oracle = 0.0
    for way in (cosines, cosines.T):
        for row in range(5):
            parts = (way[row] / 0.2).exp()
            oracle -= float((parts[row] / parts.sum()).log()) / 10
    none = torch.eye(5, dtype=torch.bool)
    found = info_nce(first, second, none, 0.2, torch.zeros(5))
    assert found.item() == pytest.approx(oracle, rel=1e-5)
    assert info_nce(second, first, none, 0.2, torch.zeros(5)).item() == pytest.approx(oracle)
    assert info_nce(3 * first, second, none, 0.2, torch.zeros(5)).item() == pytest.approx(oracle)


def test_rows_of_one_id_or_title_are_no_negatives() -> None:
    torch.manual_seed(2)
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    doubled = [0, 1, 2, 2]
    same = torch.tensor(doubled).unsqueeze(0) == torch.tensor(doubled).unsqueeze(1)
    flat, none = torch.zeros(4), torch.eye(4, dtype=torch.bool)
    masked = info_nce(first[doubled], second[doubled], same, 0.1, flat)
    assert masked < info_nce(first[doubled], second[doubled], none, 0.1, flat)
    # The last row, masked, is worth what its twin is worth: the loss of rows 0 to 2, row 2 twice.
    alone = info_nce(first[2:].expand(2, -1), second[2:].expand(2, -1), same[2:, 2:], 0.1, flat[:2])
    assert alone.item() == pytest.approx(0, abs=1e-6)


def test_popular_rows_count_less_as_negatives() -> None:
    first = torch.eye(3)
    none, expected = torch.eye(3, dtype=torch.bool), torch.tensor([2.0, 0.5, 0.5]).log()
    found = info_nce(first, first, none, 1.0, expected)
    own = math.e
    rows = [own + 2 + 2, own + 0.5 + 2, own + 0.5 + 2]
    assert found.item() == pytest.approx(sum(math.log(row) - 1 for row in rows) / 3, rel=1e-5)


@pytest.mark.parametrize("case", json.loads(NTXENT.read_text()))
def test_info_nce_is_the_loss_of_another_library(case: dict[str, Any]) -> None:
    views = torch.tensor(case["first"]), torch.tensor(case["second"])
    same, flat = torch.tensor(case["same"]), torch.zeros(len(views[0]))
    found = info_nce(*views, same, case["temperature"], flat)
    assert found.item() == pytest.approx(case["loss"], rel=1e-5)
