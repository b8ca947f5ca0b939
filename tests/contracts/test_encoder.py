"""Contract of every encoder of titles and queries, however it is made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.sentence_encoder import open_sentence_encoder
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.encoders.token_vectors import open_token_vectors
from gpt4rec_es.protocols import Encoder
from gpt4rec_es.reranking.checkpoint import save_recommender
from gpt4rec_es.reranking.encoder_registry import GeneratorStates, ItemTower
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Serving, learn_reading
from gpt4rec_es.reranking.serving import ServedReranker
from tests.encoders import save_tiny_gpt2
from tests.trained import TITLES
from tests.unit.reranking.shop import make, shop_data
from tests.vectors import save_sentence_folder, save_token_vectors

WORDS = sorted({word for title in TITLES for word in title.split()})
EMPTY = ["", " \n"]


def static(folder: Path, seed: int) -> Encoder:
    chance = np.random.default_rng(seed)
    vectors = {word: tuple(chance.normal(size=6).tolist()) for word in WORDS}
    return open_token_vectors(save_token_vectors(folder, vectors))


def sentences(folder: Path, seed: int) -> Encoder:
    return open_sentence_encoder(save_sentence_folder(folder, WORDS, seed=seed))


def generator(folder: Path, seed: int) -> Encoder:
    return GeneratorStates(open_encoder(save_tiny_gpt2(folder, seed=seed)))


def tower(folder: Path, seed: int) -> Encoder:
    rows = [ItemFields(n, title, None, None, None) for n, title in enumerate(TITLES)]
    reading = learn_reading(rows, [])
    data = RecommenderData(reading.items(rows), shop_data().histories, None)
    gpt2 = save_tiny_gpt2(folder / "gpt2", seed=seed)
    model = make(data, open_encoder(gpt2), user_mode="history", freeze_gpt2=True)
    serving = Serving(tuple(f"id-{row.item_no}" for row in rows), reading)
    save_recommender(model, folder / "tower", {}, serving)
    return ItemTower(ServedReranker(folder / "tower", gpt2), "tower")


Make = Callable[[Path, int], Encoder]


@pytest.fixture(scope="module", params=[static, sentences, generator, tower])
def make_one(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


@pytest.fixture(scope="module")
def encoder(make_one: Make, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return make_one(tmp_path_factory.mktemp("encoder") / "one", 1)


def test_rows_are_in_order_and_of_length_1(encoder: Encoder) -> None:
    rows = encoder.encode(TITLES)
    assert (rows.dtype, rows.shape) == (np.float32, (len(TITLES), encoder.dims))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(TITLES[::-1]), rows[::-1], atol=1e-6)
    assert np.ptp(rows @ rows.T) > 0.01  # they differ by text


def test_a_row_depends_on_its_text_alone(encoder: Encoder) -> None:
    texts = [*TITLES[:4], *EMPTY, TITLES[0], " ".join(TITLES)]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([one]) for one in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_an_empty_text_is_zero(encoder: Encoder) -> None:
    assert not encoder.encode(EMPTY).any()
    assert encoder.encode([]).shape == (0, encoder.dims)


def test_the_hash_is_that_of_all_that_decides(
    make_one: Make, encoder: Encoder, tmp_path: Path
) -> None:
    same, other = make_one(tmp_path / "same", 1), make_one(tmp_path / "other", 2)
    assert same.content_hash == encoder.content_hash != other.content_hash
    np.testing.assert_array_equal(same.encode(TITLES), encoder.encode(TITLES))
    assert abs(other.encode(TITLES) - encoder.encode(TITLES)).max() > 0.01
