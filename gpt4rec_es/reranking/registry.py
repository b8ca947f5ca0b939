"""Register re-rankers, and open the registered ones.

A row refers to a folder that may have changed, so the folder is checked before it is used. There
are two kinds: recommenders that read metadata by a GPT-2, and a SASRec, which reads none.
"""

from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit, rerankers
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.encoders.network import set_threads
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.reranking.checkpoint import read_document
from gpt4rec_es.reranking.served_sequence import DOCUMENT as SEQUENCE_DOCUMENT
from gpt4rec_es.reranking.served_sequence import ServedSequence, read_sequence
from gpt4rec_es.reranking.serving import ServedReranker

Served: TypeAlias = ServedReranker | ServedSequence


def list_rerankers(engine: Engine) -> list[Reranker]:
    """Return all registered re-rankers, the oldest first."""
    with transaction(engine) as connection:
        return rerankers.load_all(connection)


def show_reranker(engine: Engine, name: str) -> Reranker:
    """Return one registered re-ranker.

    Raises:
        UsageError: there is none of that name.
    """
    with transaction(engine) as connection:
        return rerankers.get(connection, name)


def add_reranker(
    engine: Engine,
    name: str,
    folder: Path,
    *,
    actor: str,
    gpt2: str | None = None,
    dry_run: bool = False,
) -> Reranker | None:
    """Register the re-ranker in ``folder`` and return its row; None: a dry run without an error.

    gpt2: folder or hub id of the GPT-2 that reads metadata; None: the one that the card names. Of a
    registered one with this content, only these two places change.

    Raises:
        UsageError: the folder holds none, or none that nights could use, or the name is taken.
        DataError: biases that stored vectors cannot hold.
    """
    if _is_sequence(folder):
        if gpt2 is not None:
            raise UsageError(f"The network in {folder} reads no metadata.", "Leave out --gpt2.")
        card, source = read_sequence(folder)["card"], None
    else:
        card = read_document(folder)["card"] or {}
        source = gpt2 or card.get("gpt2", {}).get("path")
        if source is None:
            raise UsageError(
                f"The card of the re-ranker in {folder} names no GPT-2.",
                "Give its folder: --gpt2.",
            )
    opened = _opened(folder, source)
    opened.check_biases()
    with transaction(engine) as connection:
        if dry_run:
            rerankers.require_free(connection, name, opened.content_hash)
            return None
        before = rerankers.find(connection, name)
        row = rerankers.register(
            connection,
            name=name,
            content_hash=opened.content_hash,
            path=str(folder.resolve()),
            gpt2=str(Path(source).resolve()) if source and Path(source).is_dir() else source,
            width=opened.width,
            history_length=opened.history_length,
            card=card,
            actor=actor,
        )
        if before is None:
            after = {"content_hash": row.content_hash}
            audit.record(connection, actor, "reranker_add", name, after=after)
        elif _places(before) != _places(row):
            audit.record(
                connection, actor, "reranker_move", name, _places(before), after=_places(row)
            )
        return row


def _is_sequence(folder: Path) -> bool:
    return (folder / SEQUENCE_DOCUMENT).is_file()


def _opened(folder: Path, gpt2: str | None, device: str = "cpu") -> Served:
    return ServedSequence(folder, device) if gpt2 is None else ServedReranker(folder, gpt2, device)


def _places(row: Reranker) -> dict[str, str | None]:
    return {"path": row.path, "gpt2": row.gpt2}


def open_registered(row: Reranker, device: str = "cpu", threads: int = 0) -> Served:
    """Return the re-ranker of ``row``, opened, if its files are unchanged.

    threads: of this process; 0: as they are.

    Raises:
        UsageError: its folder or its GPT-2 is gone, or holds something else.
        ConflictError: its files changed.
    """
    again = f"`gpt4rec rerankers add {row.name} --folder FOLDER`"
    if not Path(row.path).is_dir():
        raise UsageError(
            f"The folder of re-ranker {row.name!r} is gone: {row.path}.",
            f"Put it back, or say where it is: {again}.",
        )
    if threads:
        set_threads(threads)
    opened = _opened(Path(row.path), row.gpt2, device)
    if opened.content_hash != row.content_hash:
        raise ConflictError(
            f"The files of re-ranker {row.name!r} changed since it was registered.",
            "Put them back, or register them under another name and use a recipe that names it.",
        )
    return opened
