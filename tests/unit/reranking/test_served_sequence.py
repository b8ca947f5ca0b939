"""A SASRec from a folder: its vectors give the scores of the network, without the training data."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_folder import save_baseline
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.baselines.sasrec import SasRec
from gpt4rec_es.lab.baselines.youtube_dnn import YouTubeDnn
from gpt4rec_es.ranking.vectors import score
from gpt4rec_es.reranking.served_sequence import ITEMS, ServedSequence

IDS = ["a", "b", "c", "d", "never", "e"]
DATA = BaselineData([[0, 1, 2], [2, 3, 5], [5, 0]], len(IDS))
CARD = {"name": "toy", "data": {"split_hash": "x"}}
OPTIONS = options_of("sasrec", dim=8, length=3, blocks=2, heads=2, seed=3)


@pytest.fixture(scope="module")
def network() -> SasRec:
    torch.manual_seed(5)
    made = SasRec(DATA, OPTIONS)
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    made.eval()
    return made


@pytest.fixture(scope="module")
def folder(network: SasRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sasrec") / "toy"
    save_baseline(network, DATA, IDS, made, CARD)
    return made


@pytest.fixture(scope="module")
def served(folder: Path) -> ServedSequence:
    return ServedSequence(folder)


def rows(ids: list[str]) -> list[ItemFields]:
    return [ItemFields(n, None, None, None, None) for n in range(len(ids))]


def test_an_item_without_a_training_event_has_no_vector(served: ServedSequence) -> None:
    assert served.has_vectors(["a", "never", "new", "e"]) == [True, False, False, True]


def test_products_of_vectors_are_the_scores_of_the_network(
    served: ServedSequence, network: SasRec
) -> None:
    known = [n for n, one in enumerate(IDS) if one != "never"]
    items = served.item_vectors([IDS[n] for n in known], rows(known))  # type: ignore[arg-type]
    histories = [[0], [3, 1], [0, 1, 2, 3, 5]]  # oldest first; the last is longer than is read
    places = {item: place for place, item in enumerate(known)}
    newest_first = [[places[item] for item in one[::-1]] for one in histories]
    users = served.user_vectors(newest_first, items)
    with torch.no_grad():
        expected = network.scores(None, histories)[:, known].numpy()
    assert score(users, items) == pytest.approx(expected, abs=0.02)
    # Whatever else is in the batch.
    alone = np.concatenate([served.user_vectors([one], items) for one in newest_first])
    assert (alone == users).all()
    assert served.user_vectors([], items).shape == (0, served.width)
    served.check_biases()


def test_the_hash_of_an_item_depends_on_its_id_alone(served: ServedSequence) -> None:
    first, second = served.input_hashes(["a", "b"], rows(["a", "b"]))
    assert first != second
    renamed = [ItemFields(0, "title", "brand", None, None)]
    assert served.input_hashes(["a"], renamed) == [first]


def test_what_cannot_be_served_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no sasrec"):
        ServedSequence(tmp_path)
    torch.manual_seed(1)
    options = options_of("youtube_dnn", dim=8, length=3)
    save_baseline(YouTubeDnn(DATA, options), DATA, IDS, tmp_path / "other", CARD)
    with pytest.raises(UsageError, match="Nights can use no other baseline"):
        ServedSequence(tmp_path / "other")
    copied = shutil.copytree(folder, tmp_path / "old")
    known = json.loads((copied / ITEMS).read_text())
    (copied / ITEMS).write_text(json.dumps(known[1:]))
    with pytest.raises(UsageError, match="do not fit"):
        ServedSequence(copied)
    (copied / ITEMS).unlink()
    with pytest.raises(UsageError, match="Train it again"):
        ServedSequence(copied)


def test_the_content_hash_covers_the_items(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert ServedSequence(copied).content_hash == ServedSequence(folder).content_hash
    (copied / ITEMS).write_text(json.dumps(["z", *IDS[1:]]))
    assert ServedSequence(copied).content_hash != ServedSequence(folder).content_hash
