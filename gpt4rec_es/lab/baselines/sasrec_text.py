"""SASRec whose item vectors start as what the titles say; from there on it learns like any other.

A start from texts puts items with like titles near each other before the first purchase is read,
which helps items with few of them. It costs one reading of the catalog, and nothing afterwards:
the trained folder holds vectors of items alone.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.card import read_card
from gpt4rec_es.lab.baselines.content_rec import words_of
from gpt4rec_es.lab.baselines.sasrec import SasRec
from gpt4rec_es.lab.training.numbered_split import NumberedSplit
from gpt4rec_es.prompts.template import display_title, target_text

# Width of words before the projection: random vectors are nearly orthogonal.
_WIDTH = 256


class SasRecText(SasRec):
    """The network of ``SasRec``; see ``start_by_titles``."""

    name: ClassVar[str] = "sasrec_text"


def start_by_titles(
    network: SasRecText,
    titles: Sequence[str | None],
    folder: Path | None,
) -> dict[str, Any]:
    """Let the item vectors of ``network`` begin as projected titles; return what made them.

    A title, read as a target of a generator's training, is the mean of the states of its tokens in
    the GPT-2 in ``folder``, or of random vectors of its words without one. The first ``dim``
    principal components have a length of about 1: more than random starts, because they say
    something from the first step. Items without a title keep their random vectors.

    Raises:
        UsageError: no GPT-2 is in the folder, or there are too few titles.
    """
    require_titles(titles, network.options.dim)
    rows = [row for row, title in enumerate(titles) if words_of(title)]
    texts = [str(titles[row]) for row in rows]
    if folder is None:
        made_by: dict[str, Any] = {"words": _WIDTH}
        read = _means_of_words(texts)
    else:
        encoder = open_encoder(folder)
        made_by = {"path": str(folder), "content_hash": encoder.checkpoint.content_hash}
        read = encoder.encode_text([target_text(display_title(text)) for text in texts])
    start = principal_components(read, network.options.dim)
    digest = hashlib.sha256(np.ascontiguousarray(start.numpy()).tobytes()).hexdigest()
    weights = network.items.weight
    with torch.no_grad():
        weights[rows] = start.to(weights.device)
    return {**made_by, "vectors": digest}


def require_titles(titles: Sequence[str | None], dim: int) -> None:
    """Check that ``titles`` have more components than ``dim``.

    Raises:
        UsageError: there are too few titles with words.
    """
    known = sum(bool(words_of(title)) for title in titles)
    if known < 2:  # no --dim is small enough
        raise UsageError(
            f"The catalog has {known} titles with words; sasrec_text starts from at least 2.",
            "Import items with titles, or train sasrec.",
        )
    if known <= dim:
        raise UsageError(
            f"{known} titles are too few for vectors of width {dim}.",
            f"Lower --dim, to {known - 1} at most.",
        )


def principal_components(vectors: Any, dim: int) -> Any:
    """Return (items, dim): the components of most variance, scaled to variance 1 / dim at each."""
    centred = vectors.double() - vectors.double().mean(0)
    # By the covariance, as there are more items than components; its eigenvalues ascend.
    _, directions = torch.linalg.eigh(centred.T @ centred)
    found = centred @ directions[:, -dim:]
    return (found / found.std() * dim**-0.5).float()


def _means_of_words(texts: Sequence[str]) -> Any:
    """Return (texts, width): means of words' random vectors, rare words with more weight."""
    titles = [words_of(text) for text in texts]
    counts = Counter(word for title in titles for word in set(title))
    vectors = {
        word: np.log(len(titles) / count) * _random_vector(word) for word, count in counts.items()
    }
    return torch.from_numpy(np.stack([np.mean([vectors[w] for w in t], 0) for t in titles]))


def _random_vector(word: str) -> Any:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).standard_normal(_WIDTH)


def require_text(method: str, folder: Path, numbered: NumberedSplit) -> None:
    """Refuse a GPT-2 for another method, or one of ours that learned more than the training part.

    Raises:
        UsageError: it is one of these.
    """
    if method != SasRecText.name:
        raise UsageError(f"{method} does not read titles by a GPT-2.", "Leave --text out.")
    data = read_card(folder).get("data")
    if data is None:
        return  # a GPT-2 from elsewhere, which knows no purchases
    chooses = bool(len(numbered.validation.users))
    if data.get("split_hash") != numbered.split.content_hash or (
        chooses and data.get("learned_from_validation")
    ):
        raise UsageError(
            f"The GPT-2 in {folder} may have seen what is held out of the split "
            f"{numbered.split.name!r}.",
            "Give a generator that was trained on its training part, or a GPT-2 from elsewhere.",
        )
