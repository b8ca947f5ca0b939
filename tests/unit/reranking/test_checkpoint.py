import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reranking.checkpoint import open_recommender, read_document, save_recommender
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.recommenders import GPT2Recommender
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.encoders import save_tiny_gpt2
from tests.unit.reranking.shop import first_batch, make, shop_data


def learn(model: Any, data: RecommenderData) -> None:
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-2, 1e-2))
    for _ in range(2):
        optimizer.zero_grad()
        model.calculate_loss(first_batch(data)).total.backward()
        optimizer.step()


@pytest.mark.parametrize(
    "settings",
    [
        {"use_cache": True},
        {"use_peft": True},
        {"use_peft": False},
        {"freeze_gpt2": True, "use_attention": False, "metadata_dim": 8},
    ],
    ids=["cached", "adapters", "whole", "frozen"],
)
@pytest.mark.parametrize("with_users", [False, True])
def test_an_opened_recommender_gives_equal_scores(
    gpt2_folder: Path, tmp_path: Path, settings: dict[str, Any], with_users: bool
) -> None:
    data = shop_data(with_users=with_users)
    model = make(data, open_encoder(gpt2_folder), **settings)
    learn(model, data)
    phase = model.table.phase
    content_hash = save_recommender(model, tmp_path / "saved", {"seed": 0})
    assert len(content_hash) == 64
    assert model.table.phase == phase
    assert model.table.encoder.is_frozen == (phase == "cached")
    assert (tmp_path / "saved" / "encoder").is_dir() == (settings.get("use_peft") is False)
    names = {path.suffix for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert names == {".json", ".safetensors"}
    again = open_recommender(tmp_path / "saved", data, gpt2_folder)
    expected = model.score_catalog([0, 1], data.histories[:2], model.snapshot())
    found = again.score_catalog([0, 1], data.histories[:2], again.snapshot())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert again.table.phase == "cached"
    assert read_document(tmp_path / "saved")["card"] == {"seed": 0}


def test_saved_vectors_are_not_made_again(
    data: RecommenderData, gpt2_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_recommender(make(data, open_encoder(gpt2_folder)), tmp_path / "saved", {})
    monkeypatch.setattr(
        "gpt4rec_es.encoders.text_encoder.TextEncoder.encode_text",
        lambda *_: pytest.fail("encoded again"),
    )
    open_recommender(tmp_path / "saved", data, gpt2_folder)


def test_the_baseline(data: RecommenderData, gpt2_folder: Path, tmp_path: Path) -> None:
    model = GPT2Recommender(
        len(data.histories),
        len(data.items),
        16,
        data,
        gpt2_folder,
        options=TowerOptions(history_length=5),
    )
    learn(model, data)
    model.eval()
    save_recommender(model, tmp_path / "saved", {})
    again = open_recommender(tmp_path / "saved", data, gpt2_folder)
    torch.testing.assert_close(again.snapshot().vectors, model.snapshot().vectors)


def test_what_does_not_fit_is_refused(
    data: RecommenderData, gpt2_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    model = make(data, open_encoder(gpt2_folder), use_cache=True)
    save_recommender(model, folder, {})
    with pytest.raises(UsageError, match="exists already"):
        save_recommender(model, folder, {})
    with pytest.raises(UsageError, match="another catalog, or other users"):
        open_recommender(folder, shop_data(30), gpt2_folder)
    with pytest.raises(UsageError, match="another GPT-2"):
        open_recommender(folder, data, save_tiny_gpt2(tmp_path / "other", seed=8))
    with pytest.raises(UsageError, match="holds no recommender"):
        open_recommender(tmp_path, data, gpt2_folder)
    document = json.loads((folder / "recommender.json").read_text())
    document["loss"]["contrastive_weight"] = 0
    (folder / "recommender.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="not those of its"):
        open_recommender(folder, data, gpt2_folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UsageError, match="do not fit"):
        open_recommender(folder, data, gpt2_folder)
