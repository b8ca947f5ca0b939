"""Serving: vectors of the catalog of today equal those of the trained network."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import create_engine

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.ranking.vectors import score
from gpt4rec_es.reranking import serving as serving_module
from gpt4rec_es.reranking import text_vectors
from gpt4rec_es.reranking.checkpoint import save_recommender
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Serving, learn_reading
from gpt4rec_es.reranking.recommenders import GPT2Recommender
from gpt4rec_es.reranking.registry import add_reranker
from gpt4rec_es.reranking.serving import ServedReranker
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.encoders import save_tiny_gpt2
from tests.trained import TITLES
from tests.unit.reranking.shop import first_batch, make, shop_data

UNIT = 1 / 1024  # of a component


@dataclass(frozen=True)
class Saved:
    """A trained recommender, its folder, and the rows of its catalog."""

    model: Any
    folder: Path
    data: RecommenderData
    item_ids: list[str]
    rows: list[ItemFields]

    def served(self, gpt2: Path) -> ServedReranker:
        return ServedReranker(self.folder, gpt2)


def catalog() -> list[ItemFields]:
    rows = [
        ItemFields(
            n,
            title,
            title.split()[0] if n % 4 else None,
            f"home > {title.split()[-1]}" if n % 3 else None,
            None if n % 5 == 0 else Decimal(n % 7),
        )
        for n, title in enumerate(TITLES)
    ]
    return [*rows, ItemFields(len(rows), None, None, None, None)]  # nobody bought it


def train(kind: str, gpt2: Path, folder: Path, *, with_users: bool = False) -> Saved:
    rows, blocks = catalog(), 2 if kind == "sequence" else 0
    histories = shop_data(40).histories
    attributes = [{"age": 20 + 10 * (n % 4), "gender": "FM"[n % 2]} for n in range(40)]
    reading = learn_reading(rows, attributes if with_users else [])
    data = RecommenderData(reading.items(rows), histories, reading.users(attributes))
    if kind == "fast":
        torch.manual_seed(0)
        options = TowerOptions("history", history_length=5, id_dropout=0.0)
        model: Any = GPT2Recommender(40, len(rows), 16, data, gpt2, options=options)
    else:
        model = make(
            data,
            open_encoder(gpt2),
            user_mode="history",
            use_attention=kind != "gated",
            use_peft=kind == "adapters",
            freeze_gpt2=kind != "adapters",
            blocks=blocks,
        )
    optimizer = torch.optim.AdamW(model.parameter_groups(2e-2, 1e-2))
    for _ in range(3):
        optimizer.zero_grad()
        model.calculate_loss(first_batch(data, "history", blocks=blocks)).total.backward()
        optimizer.step()
    model.eval()
    item_ids = [f"id-{row.item_no}" for row in rows]
    save_recommender(model, folder, {}, Serving(tuple(item_ids), reading))
    return Saved(model, folder, data, item_ids, rows)


@pytest.fixture(scope="module", params=["attention", "sequence"])
def any_saved(
    gpt2_folder: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Saved:
    return train(request.param, gpt2_folder, tmp_path_factory.mktemp("a") / "saved")


@pytest.fixture(scope="module")
def saved(gpt2_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return train("attention", gpt2_folder, tmp_path_factory.mktemp("s") / "saved", with_users=True)


@pytest.mark.parametrize(
    ("kind", "with_users"),
    [
        ("fast", True),
        ("attention", False),
        ("gated", True),
        ("adapters", True),
        ("sequence", True),
    ],
)
def test_served_vectors_are_those_of_the_trained_network(
    gpt2_folder: Path, tmp_path: Path, kind: str, with_users: bool
) -> None:
    saved = train(kind, gpt2_folder, tmp_path / "saved", with_users=with_users)
    served = saved.served(gpt2_folder)
    snapshot = saved.model.snapshot()
    items = served.item_vectors(saved.item_ids, saved.rows)
    assert items.shape == (len(saved.rows), served.width)
    expected = np.column_stack([snapshot.vectors.numpy(), snapshot.biases.numpy()])
    assert abs(items * UNIT - expected).max() <= UNIT / 2 + 1e-4
    assert served.reads_users == with_users
    attributes = [{"age": 20 + 10 * (n % 4), "gender": "FM"[n % 2]} for n in range(40)]
    newest_first = [history[::-1] for history in saved.data.histories]
    users = served.user_vectors(newest_first, items, attributes)
    assert (users[:, -1] == 1024).all()
    scores = saved.model.score_catalog(list(range(40)), saved.data.histories, snapshot).numpy()
    # 16 components of about 1, each off by half a unit at most on either side.
    np.testing.assert_allclose(score(users, items), scores, atol=0.03)
    assert np.corrcoef(score(users, items).ravel(), scores.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("size", [1, 7])
def test_vectors_do_not_depend_on_the_batch(
    any_saved: Saved, gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = any_saved.served(gpt2_folder)
    items = whole.item_vectors(any_saved.item_ids, any_saved.rows)
    histories = [list(history[::-1]) for history in any_saved.data.histories] + [[]]
    attributes: list[dict[str, Any]] = [{"age": 30}] * len(histories)
    users = whole.user_vectors(histories, items, attributes)
    monkeypatch.setattr(serving_module, "_STEP", size)
    parts = any_saved.served(gpt2_folder)
    assert (parts.item_vectors(any_saved.item_ids, any_saved.rows) == items).all()
    assert (parts.user_vectors(histories, items, attributes) == users).all()
    # The items that others bought change nothing.
    some = [histories[3]]
    assert (parts.user_vectors(some, items, attributes[:1]) == users[3]).all()
    assert parts.item_vectors([], []).shape == (0, parts.width)
    assert parts.user_vectors([], items).shape == (0, parts.width)
    assert parts.user_vectors([[]], items[:0]).shape == (1, parts.width)


def test_new_items_are_read_by_their_metadata(saved: Saved, gpt2_folder: Path) -> None:
    served = saved.served(gpt2_folder)
    row = saved.rows[3]
    known, twin, other = served.item_vectors(
        [saved.item_ids[3], "new", "newer"], [row, row, row._replace(title="a blue clock")]
    )
    assert (known != twin).any()  # no ID embedding
    assert (twin != other).any()
    snapshot = saved.model.read_new_items(
        learn_reading(saved.rows, []).items([row]),
    )
    expected = np.append(snapshot.vectors[0].numpy(), snapshot.biases[0])
    assert abs(twin * UNIT - expected).max() <= UNIT / 2 + 1e-4
    # An item of the training without events has no embedding of its own either.
    never_bought, empty = served.item_vectors([saved.item_ids[-1], "empty"], [saved.rows[-1]] * 2)
    assert (never_bought == empty).all()


def test_titles_alone_are_read_as_new_items_of_that_title(
    saved: Saved, gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = saved.served(gpt2_folder)
    titles = [TITLES[3], "a blue clock", TITLES[3]]
    vectors = served.read_titles(titles)
    rows = [ItemFields(n, title, None, None, None) for n, title in enumerate(titles)]
    expected = saved.model.read_new_items(learn_reading(saved.rows, []).items(rows)).vectors.numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert (vectors[0] == vectors[2]).all()
    assert abs(vectors[0] - vectors[1]).max() > 0.01
    monkeypatch.setattr(serving_module, "_STEP", 1)
    np.testing.assert_allclose(saved.served(gpt2_folder).read_titles(titles), vectors, atol=1e-6)
    assert served.read_titles([]).shape == (0, served.width - 1)


def test_metadata_of_now_are_read(saved: Saved, gpt2_folder: Path) -> None:
    served = saved.served(gpt2_folder)
    now = [saved.rows[3]._replace(price=Decimal(6)), saved.rows[3]._replace(price=None)]
    ids = [saved.item_ids[3]] * 3
    first, second, third = served.item_vectors(ids, [saved.rows[3], *now])
    assert (first != second).any()
    assert (second != third).any()
    hashes = served.input_hashes([*ids, "new", "new"], [saved.rows[3], *now, *now])
    assert len(set(hashes)) == 5
    # A price in the same band, and a number that is not read, change nothing.
    same = saved.rows[3]._replace(price=saved.rows[3].price + Decimal("0.01"), item_no=99)
    assert served.input_hashes(ids[:1], [same]) == hashes[:1]


def test_distinct_texts_are_read_once(
    saved: Saved, gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = saved.served(gpt2_folder)
    monkeypatch.setattr(serving_module, "_STEP", 2)
    seen: list[str] = []
    encode = TextEncoder.encode_text

    def count(self: TextEncoder, texts: list[str]) -> Any:
        seen.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(TextEncoder, "encode_text", count)
    served.item_vectors(saved.item_ids, saved.rows)
    assert seen == []  # all of them are saved with the re-ranker
    rows = [ItemFields(n, f"title {n % 3}", "new brand", None, None) for n in range(9)]
    vectors = served.item_vectors([f"new {n}" for n in range(9)], rows)
    assert sorted(seen) == [
        "brand: new brand",
        "title: title 0",
        "title: title 1",
        "title: title 2",
    ]
    assert (vectors[0] == vectors[6]).all()
    monkeypatch.setattr(text_vectors, "_RECENT", 1)  # the bound on memory changes no vector
    again = saved.served(gpt2_folder)
    assert (again.item_vectors([f"new {n}" for n in range(9)], rows) == vectors).all()


def test_a_kept_vector_of_a_text_keeps_no_batch_in_memory(saved: Saved, gpt2_folder: Path) -> None:
    served = saved.served(gpt2_folder)
    rows = [ItemFields(n, f"unknown {n}", None, None, None) for n in range(9)]
    served.item_vectors([f"new {n}" for n in range(9)], rows)
    kept = list(served._texts._recent.values())
    assert len(kept) == 9
    for one in kept:
        assert one.untyped_storage().nbytes() == one.numel() * one.element_size()


def test_biases_that_do_not_fit_are_found_without_items(saved: Saved, gpt2_folder: Path) -> None:
    served = saved.served(gpt2_folder)
    served.check_biases()
    for name in ("item_bias", "other_bias"):
        served = saved.served(gpt2_folder)
        with torch.no_grad():
            getattr(served._model, name).fill_(40)
        with pytest.raises(DataError, match="value 40"):
            served.check_biases()


def test_registering_refuses_biases_that_do_not_fit(gpt2_folder: Path, tmp_path: Path) -> None:
    saved = train("fast", gpt2_folder, tmp_path / "first")
    with torch.no_grad():
        saved.model.item_bias[2] = -40
    reading = learn_reading(saved.rows, [])
    serving = Serving(tuple(saved.item_ids), reading)
    save_recommender(saved.model, tmp_path / "second", {}, serving)
    nowhere = create_engine("postgresql+psycopg2://127.0.0.1:1/none")  # it is not asked
    with pytest.raises(DataError, match="value -40"):
        add_reranker(nowhere, "second", tmp_path / "second", actor="x", gpt2=str(gpt2_folder))


def test_what_cannot_be_served_is_refused(
    saved: Saved, data: RecommenderData, gpt2_folder: Path, tmp_path: Path
) -> None:
    by_number = make(data, open_encoder(gpt2_folder), freeze_gpt2=True)
    save_recommender(by_number, tmp_path / "both", {})
    with pytest.raises(UsageError, match="--user-mode history"):
        ServedReranker(tmp_path / "both", gpt2_folder)
    older = make(data, open_encoder(gpt2_folder), freeze_gpt2=True, user_mode="history")
    save_recommender(older, tmp_path / "older", {})
    with pytest.raises(UsageError, match="Train it again"):
        ServedReranker(tmp_path / "older", gpt2_folder)
    with pytest.raises(UsageError, match="another GPT-2"):
        ServedReranker(saved.folder, save_tiny_gpt2(tmp_path / "other", seed=8))
    with pytest.raises(UsageError, match="holds no recommender"):
        ServedReranker(tmp_path, gpt2_folder)


def test_the_items_of_the_training_belong_to_the_content(saved: Saved, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in saved.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert serving_module.folder_hash(copy) == serving_module.folder_hash(saved.folder)
    (copy / "items.json").write_text(json.dumps(saved.item_ids[::-1]))
    assert serving_module.folder_hash(copy) != serving_module.folder_hash(saved.folder)
