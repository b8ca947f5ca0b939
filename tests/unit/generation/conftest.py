from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.encoders.folder import Checkpoint, open_checkpoint
from gpt4rec_es.encoders.network import open_network
from gpt4rec_es.prompts.template import prompt_text
from tests.trained import shop_histories


@pytest.fixture(scope="session")
def trained_checkpoint(trained_folder: Path) -> Checkpoint:
    return open_checkpoint(trained_folder)


@pytest.fixture(scope="session")
def trained_network(trained_folder: Path) -> Any:
    return open_network(trained_folder, "fp32", "cpu")


@pytest.fixture(scope="session")
def trained_end(trained_checkpoint: Checkpoint) -> int:
    return trained_checkpoint.tokenizer.end_id


@pytest.fixture(scope="session")
def trained_prompts(trained_checkpoint: Checkpoint) -> list[list[int]]:
    histories = shop_histories()[:12]
    texts = [prompt_text(titles[: 1 + n % 5]) for n, titles in enumerate(histories)]
    return [trained_checkpoint.tokenizer.encode(text) for text in texts]
