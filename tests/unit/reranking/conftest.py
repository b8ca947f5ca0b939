from pathlib import Path

import pytest

from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.reranking.metadata import RecommenderData
from tests.encoders import save_tiny_gpt2
from tests.unit.reranking.shop import shop_data


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("reranking") / "tiny")


@pytest.fixture
def encoder(gpt2_folder: Path) -> TextEncoder:
    return open_encoder(gpt2_folder)


@pytest.fixture(scope="session")
def data() -> RecommenderData:
    return shop_data()
