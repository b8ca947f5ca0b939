from pathlib import Path

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.reranking import merged_gpt2
from gpt4rec_es.reranking.checkpoint import save_recommender
from gpt4rec_es.reranking.merged_gpt2 import merge_reranker
from gpt4rec_es.reranking.metadata import RecommenderData
from tests.unit.reranking.shop import first_batch, make


@pytest.fixture
def folder(data: RecommenderData, gpt2_folder: Path, tmp_path: Path) -> Path:
    model = make(data, open_encoder(gpt2_folder), use_peft=True)
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-2, 2e-2))
    for _ in range(3):
        optimizer.zero_grad()
        model.calculate_loss(first_batch(data)).total.backward()
        optimizer.step()
    save_recommender(model, tmp_path / "saved", {"gpt2": {"path": str(gpt2_folder)}})
    return tmp_path / "saved"


def test_the_merged_gpt2_has_the_logits_of_gpt2_and_adapters(
    folder: Path, gpt2_folder: Path, tmp_path: Path
) -> None:
    report = merge_reranker(folder, tmp_path / "merged")
    assert report.difference < 1e-3
    tokens = torch.tensor([[5, 6, 7, 8]])
    merged, plain = (
        open_encoder(one).language_model(input_ids=tokens).logits
        for one in (tmp_path / "merged", gpt2_folder)
    )
    assert (merged - plain).abs().max() > 0.01  # the adapters had learned something
    again = merge_reranker(folder, tmp_path / "again", gpt2=str(gpt2_folder))
    assert again.content_hash == report.content_hash
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_merged_is_refused(
    folder: Path,
    data: RecommenderData,
    gpt2_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="exists already"):
        merge_reranker(folder, tmp_path)
    frozen = make(data, open_encoder(gpt2_folder), freeze_gpt2=True)
    save_recommender(frozen, tmp_path / "frozen", {"gpt2": {"path": str(gpt2_folder)}})
    with pytest.raises(UsageError, match="has no adapters"):
        merge_reranker(tmp_path / "frozen", tmp_path / "merged")
    save_recommender(frozen, tmp_path / "no card", {})
    with pytest.raises(UsageError, match="names no GPT-2"):
        merge_reranker(tmp_path / "no card", tmp_path / "merged")

    def lose(encoder):  # type: ignore[no-untyped-def]
        encoder.language_model = encoder.adapters[0].unload()
        encoder.adapters = ()

    monkeypatch.setattr(merged_gpt2, "merge_adapters", lose)
    with pytest.raises(DataError, match="other logits"):
        merge_reranker(folder, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
