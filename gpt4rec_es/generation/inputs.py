"""What a decoder reads for a prompt: its tokens, or a prefix made from vectors of its titles."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.folder import Checkpoint
from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.card import read_card
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.prompts.template import prompt_text, target_text, titles_in
from gpt4rec_es.prompts.title_lines import titles_of

# Histories, and titles, that are read at once.
_ROWS, _TITLES = 512, 10_000


class WordInputs:
    """Prompts as tokens. frame: those of a prompt without titles."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Set the tokenizer."""
        self._tokenizer: PromptTokenizer = checkpoint.tokenizer
        self.frame = self._tokenizer.encode(prompt_text(()))

    def ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the ids that the decoder reads for each prompt."""
        return self._tokenizer.encode_all(prompts)

    def titles(self, prompt: str, known: Collection[str]) -> list[str]:
        """Return the display titles of a prompt that are among ``known``."""
        return titles_in(prompt, known)

    def open(self, folder: Path, dtype: str, device: str) -> Any:
        """Return the decoder in ``folder``."""
        from gpt4rec_es.encoders.network import open_network  # noqa: PLC0415 - loads torch

        return open_network(folder, dtype, device)

    def prepare(self, decoder: Any, prompts: Sequence[str]) -> None:
        """Do nothing: tokens say all."""


class HistoryInputs:
    """Prompts as ids behind the vocabulary, whose vectors a reader makes from their titles.

    frame: ids of an empty history. Ids of a prompt are valid until the next ``prepare``.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Set the checkpoint, which has a reader."""
        if checkpoint.reader is None:
            raise ValueError("The checkpoint has no reader of histories.")
        self._tokenizer = checkpoint.tokenizer
        self._prefix, self._first = checkpoint.reader.prefix, checkpoint.vocabulary
        self.frame = self._row(0)
        self._reader: Any = None
        self._states: Any = None
        self._numbers: dict[bytes, int] = {}

    def ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each prompt, by its place."""
        return [self._row(place) for place in range(1, len(prompts) + 1)]

    def titles(self, prompt: str, known: Collection[str]) -> list[str]:
        """Return the display titles of a prompt that are among ``known``."""
        return [title for title in titles_of(prompt) if title in known]

    def open(self, folder: Path, dtype: str, device: str) -> Any:
        """Return the decoder in ``folder``, and keep its reader."""
        from gpt4rec_es.encoders.history_network import open_history_network  # noqa: PLC0415 - torch
        from gpt4rec_es.encoders.history_reader import divide_scores  # noqa: PLC0415 - loads torch

        self._reader, decoder = open_history_network(folder, dtype, device)
        # Earlier versions divided scores in the training of the decoder alone.
        divide_scores(self._reader, read_card(folder).get("temperature", 1.0))
        self._numbers = self._reader.numbers()
        return decoder

    def prepare(self, decoder: Any, prompts: Sequence[str]) -> None:
        """Read ``prompts``, so that the decoder knows their ids and those of the frame."""
        import torch  # noqa: PLC0415 - slow to import

        histories = [[], *map(titles_of, prompts)]
        # Rounding depends on the width of a batch, so histories of like length are read together.
        states = torch.empty(len(histories), self._reader.shape.dim)
        order = sorted(range(len(histories)), key=lambda place: len(histories[place]))
        with torch.no_grad():
            for start in range(0, len(order), _ROWS):
                places = order[start : start + _ROWS]
                states[places] = self._read([histories[place] for place in places]).cpu()
            self._states = states.to(self._reader.start.device)
            prefixes = self._reader.prefixes(self._states).flatten(0, 1)
        decoder.get_input_embeddings().vectors = prefixes.to(decoder.device)

    def states(self, prompts: Sequence[Sequence[int]]) -> Any:
        """Return the reader's states of prompts given as ``ids``, (prompts, dim)."""
        return self._states[[(ids[0] - self._first) // self._prefix for ids in prompts]]

    def title_vectors(self, titles: Sequence[str]) -> Any:
        """Return the reader's vectors of display titles, (titles, dim)."""
        import torch  # noqa: PLC0415 - slow to import

        from gpt4rec_es.encoders.history_reader import padded_tokens  # noqa: PLC0415 - loads torch

        reader = self._reader
        device, unknown = reader.start.device, reader.shape.titles
        found = torch.empty(len(titles), reader.shape.dim, device=device)
        with torch.no_grad():
            for start in range(0, len(titles), _TITLES):
                part = titles[start : start + _TITLES]
                numbers = torch.tensor([self._numbers.get(hash128(one), unknown) for one in part])
                encoded = self._tokenizer.encode_all([target_text(one) for one in part])
                own = reader.title_vectors(numbers.to(device), padded_tokens(encoded).to(device))
                found[start : start + _TITLES] = own
        return found

    def _row(self, row: int) -> list[int]:
        first = self._first + row * self._prefix
        return list(range(first, first + self._prefix))

    def _read(self, histories: Sequence[Sequence[str]]) -> Any:
        """Return the states of histories, (histories, dim)."""
        titles = sorted({title for history in histories for title in history})
        places = {title: place for place, title in enumerate(titles)}
        rows = [[places[title] for title in history] for history in histories]
        return self._reader.last_states(self.title_vectors(titles), rows)


def require_room(ids: Sequence[Sequence[int]], new: int, context: int) -> None:
    """Check that what is read and ``new`` tokens fit into the ``context`` of a generator.

    Raises:
        UsageError: they do not.
    """
    longest = max(map(len, ids), default=0)
    if longest + new > context:
        raise UsageError(
            f"A prompt of {longest} tokens and {new} new ones exceed the generator's context of "
            f"{context}.",
            "Lower max_new_tokens, or use a checkpoint with a longer context.",
        )
