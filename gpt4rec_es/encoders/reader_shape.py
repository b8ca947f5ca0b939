"""The shape of a reader of histories (history_reader.py), as config.json has it; no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from gpt4rec_es.errors import UsageError

# Entry of config.json with the shape.
READER = "gpt4rec_reader"


@dataclass(frozen=True, slots=True)
class ReaderShape:
    """Shape of a reader.

    titles: number of titles with a vector of their own. dim: of vectors. length: newest titles that
    are read. prefix: vectors that the decoder reads for a history.
    """

    titles: int
    dim: int = 64
    length: int = 50
    blocks: int = 1
    heads: int = 1
    prefix: int = 1

    def as_dict(self) -> dict[str, int]:
        """Return the shape as plain values."""
        return asdict(self)


def reader_shape(folder: Path, config: Mapping[str, Any]) -> ReaderShape:
    """Return the shape in the configuration of ``folder``.

    Raises:
        UsageError: it is missing or wrong.
    """
    found = config.get(READER)
    names = [field.name for field in fields(ReaderShape)]
    if (
        not isinstance(found, dict)
        or sorted(found) != sorted(names)
        or not all(type(value) is int and value >= 1 for value in found.values())
        or found["dim"] % found["heads"]
    ):
        raise UsageError(
            f"{folder} is no checkpoint of this program: {READER} in config.json is wrong.",
            "Copy config.json anew.",
        )
    return ReaderShape(**found)
