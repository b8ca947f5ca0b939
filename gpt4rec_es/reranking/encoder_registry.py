"""Register encoders, and open the registered ones.

A row refers to files that may have changed, so they are checked before they are used. Encoders of
all kinds are opened here, because one of them is a re-ranker.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit, encoders, generators, rerankers
from gpt4rec_es.db.rows.encoders import Encoder as EncoderRow
from gpt4rec_es.elastic.queries import MAX_DIMS
from gpt4rec_es.encoders.folder import read_config
from gpt4rec_es.encoders.token_vectors import open_token_vectors
from gpt4rec_es.encoders.unit_rows import unit_rows
from gpt4rec_es.errors import ConflictError, LostFilesError, UsageError
from gpt4rec_es.prompts.template import display_title, target_text
from gpt4rec_es.protocols import Encoder, Vectors

if TYPE_CHECKING:
    from gpt4rec_es.encoders.text_encoder import TextEncoder
    from gpt4rec_es.reranking.serving import ServedReranker

# Part of the content hash of the kinds generator and reranker.
_FORMAT = "mean states of a generator 2"
_TOWER = "item tower of a re-ranker 1"
_WITHOUT = "An index without vectors: `gpt4rec reindex --encoder none`."


class GeneratorStates:
    """Encodes a text as the mean of the last states that a generator's GPT-2 has of its tokens.

    They are those of a target in training: a word without the space before it has other tokens.
    """

    def __init__(self, encoder: "TextEncoder") -> None:
        self._encoder = encoder
        self.dims = encoder.width
        digest = hashlib.sha256(f"{_FORMAT}\0{encoder.content_hash()}".encode())
        self.content_hash = digest.hexdigest()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dims), see ``protocols.Encoder``."""
        shown = [display_title(text) for text in texts]
        read = self._encoder.encode_text([target_text(one) for one in shown])
        rows = unit_rows(
            read.float().cpu().numpy(), f"the GPT-2 in {self._encoder.checkpoint.folder}"
        )
        # An empty text is read as a space, which no title is.
        rows[[place for place, one in enumerate(shown) if not one]] = 0
        return rows


class ItemTower:
    """Encodes a text as the vector that a re-ranker has of a new item with that title alone."""

    def __init__(self, served: "ServedReranker", name: str) -> None:
        self._served, self._name = served, name
        self.dims = served.width - 1  # without the bias
        self.content_hash = hashlib.sha256(f"{_TOWER}\0{served.content_hash}".encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dims), see ``protocols.Encoder``."""
        rows = unit_rows(self._served.read_titles(texts), f"the re-ranker {self._name!r}")
        # The vector of an item that nothing is known of.
        rows[[place for place, text in enumerate(texts) if not display_title(text)]] = 0
        return rows


def list_encoders(engine: Engine) -> list[EncoderRow]:
    """Return all registered encoders, the oldest first."""
    with transaction(engine) as connection:
        return encoders.load_all(connection)


def show_encoder(engine: Engine, name: str) -> EncoderRow:
    """Return one registered encoder.

    Raises:
        UsageError: there is none of that name.
    """
    with transaction(engine) as connection:
        return encoders.get(connection, name)


def add_encoder(
    engine: Engine,
    name: str,
    kind: str,
    *,
    path: Path | None = None,
    source: str | None = None,
    actor: str,
    dry_run: bool = False,
) -> EncoderRow | None:
    """Register an encoder and return its row; None: a dry run without an error.

    kind, path, source: see ``db.rows.encoders.Encoder``. Of a registered one with this content,
    only these change.

    Raises:
        UsageError: it cannot be opened, its vectors are too long, or its name or content is taken.
    """
    place = None if path is None else str(path.resolve())
    opened = _opened(engine, kind, place, source)
    if opened.dims > MAX_DIMS:
        raise UsageError(
            f"The vectors of this encoder have {opened.dims:,} components; Elasticsearch indexes "
            f"{MAX_DIMS:,} at most.",
            "Take a smaller encoder.",
        )
    with transaction(engine) as connection:
        if dry_run:
            encoders.require_free(connection, name, opened.content_hash)
            return None
        before = encoders.find(connection, name)
        row = encoders.register(
            connection,
            name=name,
            kind=kind,
            content_hash=opened.content_hash,
            dims=opened.dims,
            path=place,
            source=source,
            actor=actor,
        )
        if before is None:
            after = {"kind": kind, "content_hash": row.content_hash}
            audit.record(connection, actor, "encoder_add", name, after=after)
        elif _place(before) != _place(row):
            audit.record(
                connection, actor, "encoder_move", name, before=_place(before), after=_place(row)
            )
        return row


def open_encoder_of(
    engine: Engine, row: EncoderRow, device: str = "cpu", threads: int = 0
) -> Encoder:
    """Return the encoder of ``row``, opened, if its files are unchanged.

    threads: of this process; 0: as they are.

    Raises:
        LostFilesError: its files are gone.
        UsageError: they hold something else.
        ConflictError: its files changed.
    """
    if row.path is not None and not Path(row.path).exists():
        raise LostFilesError(
            f"The files of encoder {row.name!r} are gone: {row.path}.",
            "Put them back, or say where they are: "
            f"`gpt4rec encoders add {row.name} --{row.kind} PATH`. {_WITHOUT}",
        )
    if threads and row.kind != "static":
        from gpt4rec_es.encoders.network import set_threads  # noqa: PLC0415 - loads torch

        set_threads(threads)
    opened = _opened(engine, row.kind, row.path, row.source, device)
    if opened.content_hash != row.content_hash:
        raise ConflictError(
            f"The files of encoder {row.name!r} changed since it was registered.",
            f"Put them back, or register them under another name. {_WITHOUT}",
        )
    return opened


def _opened(
    engine: Engine, kind: str, path: str | None, source: str | None, device: str = "cpu"
) -> Encoder:
    if kind == "static":
        return open_token_vectors(Path(str(path)))
    if kind == "folder":
        from gpt4rec_es.encoders.sentence_encoder import (  # noqa: PLC0415 - loads torch
            open_sentence_encoder,
        )

        return open_sentence_encoder(Path(str(path)), device)
    if kind == "reranker":
        return _item_tower(engine, str(source), device)
    from gpt4rec_es.encoders.text_encoder import open_encoder  # noqa: PLC0415 - loads torch

    with transaction(engine) as connection:
        row = generators.get(connection, str(source))
    if row.folder is None:
        raise UsageError(
            f"The generator {source!r} has no network here, so it makes no vectors.",
            "Name one with a GPT-2 checkpoint (`gpt4rec generators list`).",
        )
    if (kind := read_config(row.folder)["model_type"]) != "gpt2":
        raise UsageError(
            f"The network of the generator {source!r} is a {kind}; only a GPT-2 makes vectors.",
            "Name a generator of a GPT-2 checkpoint (`gpt4rec generators list`).",
        )
    return GeneratorStates(open_encoder(row.folder, device=device))


def _item_tower(engine: Engine, name: str, device: str) -> ItemTower:
    from gpt4rec_es.reranking.registry import open_registered  # noqa: PLC0415 - loads torch
    from gpt4rec_es.reranking.serving import ServedReranker  # noqa: PLC0415 - loads torch

    with transaction(engine) as connection:
        row = rerankers.get(connection, name)
    served = open_registered(row, device)
    if not isinstance(served, ServedReranker):
        raise UsageError(
            f"The re-ranker {name!r} reads no text, so it makes no vectors of titles.",
            "Name one of `gpt4rec train reranker` (`gpt4rec rerankers list`).",
        )
    return ItemTower(served, name)


def _place(row: EncoderRow) -> dict[str, str | None]:
    return {"kind": row.kind, "path": row.path, "source": row.source}
