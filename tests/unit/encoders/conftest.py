from pathlib import Path

import pytest

from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from tests.encoders import save_tiny_gpt2


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture
def encoder(gpt2_folder: Path) -> TextEncoder:
    return open_encoder(gpt2_folder)
