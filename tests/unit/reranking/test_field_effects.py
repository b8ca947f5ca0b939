"""Weights of metadata fields, and the check whether they explain scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt4rec_es.cli.why_fields import print_fields
from gpt4rec_es.ranking.vectors import score
from gpt4rec_es.reranking.field_effects import (
    FieldEffect,
    field_effects,
    is_explanation,
    rank_agreement,
)
from tests.unit.reranking.test_serving import train


@pytest.mark.parametrize("kind", ["attention", "gated"])
def test_an_effect_is_the_score_minus_that_of_the_item_without_the_field(
    gpt2_folder: Path, tmp_path: Path, kind: str
) -> None:
    saved = train(kind, gpt2_folder, tmp_path / "saved")
    served = saved.served(gpt2_folder)
    items = served.item_vectors(saved.item_ids, saved.rows)
    (user,) = served.user_vectors([[3, 1]], items)
    row, item_id = saved.rows[7], saved.item_ids[7]
    effects = field_effects(served, item_id, row, user)
    assert [(effect.field, effect.text) for effect in effects] == [
        ("title", row.title),
        ("brand", row.brand),
        ("price", effects[2].text),
        ("category level 2", (row.category or "").split(" > ")[1]),
    ]
    without = served.item_vectors([item_id] * 2, [row, row._replace(brand=None)])
    whole, dropped = score(user, without)
    assert effects[1].effect == whole - dropped
    assert whole == score(user, items)[7]
    weights = [effect.weight for effect in effects]
    if kind == "gated":
        assert weights == [None] * 4
    else:
        assert 0 < sum(weight or 0 for weight in weights) < 1  # the rest is that of no field


def test_an_item_without_metadata_has_no_effects(gpt2_folder: Path, tmp_path: Path) -> None:
    saved = train("attention", gpt2_folder, tmp_path / "saved")
    served = saved.served(gpt2_folder)
    items = served.item_vectors(saved.item_ids, saved.rows)
    (user,) = served.user_vectors([[3]], items)
    assert field_effects(served, saved.item_ids[-1], saved.rows[-1], user) == []


def effects_of(*pairs: tuple[float | None, float]) -> list[FieldEffect]:
    return [FieldEffect("f", "t", weight, effect) for weight, effect in pairs]


def test_agreement_is_the_rank_correlation_of_weights_and_sizes() -> None:
    same = effects_of((0.5, -0.9), (0.3, 0.2), (0.1, 0.0))
    reverse = effects_of((0.1, 0.9), (0.2, 0.1))
    assert rank_agreement(same) == pytest.approx(1)
    assert rank_agreement(reverse) == pytest.approx(-1)
    # Weights rank 2, 0.5, 0.5 (a tie), sizes 2, 1, 0.
    tied = effects_of((0.5, 0.9), (0.2, 0.5), (0.2, 0.1))
    expected = np.corrcoef([2, 0.5, 0.5], [2, 1, 0])[0, 1]
    assert rank_agreement(tied) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("agreement", "explains"), [(None, False), (-1.0, False), (0.69, False), (0.7, True), (1, True)]
)
def test_weights_explain_where_they_agree(agreement: float | None, explains: bool) -> None:
    assert is_explanation(agreement) == explains


@pytest.mark.parametrize(
    "effects",
    [
        [],
        effects_of((0.5, 0.1)),  # one field
        effects_of((None, 0.1), (None, 0.2)),  # no attention
        effects_of((0.5, 0.1), (0.5, 0.2)),  # equal weights
        effects_of((0.5, 0.1), (0.4, -0.1)),  # equal sizes
    ],
)
def test_items_that_say_nothing(effects: list[FieldEffect]) -> None:
    assert rank_agreement(effects) is None


def test_the_verdict_is_by_item(capsys: pytest.CaptureFixture[str]) -> None:
    def item(item_id: str, agreement: float | None) -> dict[str, Any]:
        shown = {"item_id": item_id, "agreement": agreement, "fields": [], "is_changed": False}
        explains = is_explanation(agreement)
        return {**shown, "rank": 1, "rerank_score": 0.5, "is_explanation": explains}

    head = {"user_id": "u", "run_id": "r", "reranker": "n"}
    print_fields({**head, "items": [item("a", 0.9), item("b", 0.1), item("c", None)]})
    printed = capsys.readouterr().out
    assert "Weights agree with the effects in rank order: a." in printed
    assert "Weights are no explanation, read the effects: b." in printed
    print_fields({**head, "items": [item("c", None)]})
    assert "nothing to compare" in capsys.readouterr().out
