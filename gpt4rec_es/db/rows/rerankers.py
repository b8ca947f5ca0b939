"""Reads and writes of registered re-rankers. Rows only: callers check the folders."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy import delete as remove
from sqlalchemy.dialects.postgresql import insert

from gpt4rec_es.db.tables import rerankers, runs
from gpt4rec_es.errors import UsageError

# A name is also that of a folder.
_NAME = re.compile(r"\w[\w.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Reranker:
    """One registered re-ranker.

    path: its folder; gpt2: folder or hub id of the GPT-2 that reads metadata for it; None: it reads
    none. width: components of its vectors. history_length: purchases that a user is read by.
    vectors_version: catalog version up to which all items have vectors; None: none yet.
    """

    reranker_no: int
    name: str
    content_hash: str
    path: str
    gpt2: str | None
    width: int
    history_length: int
    card: dict[str, Any]
    actor: str
    created_at: dt.datetime
    vectors_version: int | None

    @property
    def kind(self) -> str | None:
        """Its network: the preset of its training, or sasrec; None: the card does not say."""
        found = self.card.get("method") or self.card.get("options", {}).get("preset")
        return None if found is None else str(found)

    def as_dict(self) -> dict[str, str]:
        """Return name and content hash, for evaluations."""
        return {"name": self.name, "content_hash": self.content_hash}


def register(
    connection: Connection,
    *,
    name: str,
    content_hash: str,
    path: str,
    gpt2: str | None,
    width: int,
    history_length: int,
    card: Mapping[str, Any],
    actor: str,
) -> Reranker:
    """Return the re-ranker called ``name``, storing it if it is new.

    Registering the same content under the same name again updates its paths.

    Raises:
        UsageError: the name belongs to a re-ranker with other content.
    """
    fixed = {"content_hash": content_hash, "width": width, "history_length": history_length}
    row = insert(rerankers).values(
        name=name, path=path, gpt2=gpt2, card=dict(card), actor=actor, **fixed
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    require_free(connection, name, content_hash)
    moved = update(rerankers).where(rerankers.c.name == name).values(path=path, gpt2=gpt2)
    connection.execute(moved)
    return get(connection, name)


def require_free(connection: Connection, name: str, content_hash: str | None = None) -> None:
    """Raise unless ``name`` is new or has exactly this content.

    Raises:
        UsageError: the name belongs to a re-ranker with other content, or can be no folder's.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a re-ranker.",
            "Use letters, digits, dots and dashes, at most 63.",
        )
    known = select(rerankers.c.content_hash).where(rerankers.c.name == name)
    found = connection.execute(known).scalar()
    if found is not None and found != content_hash:
        raise UsageError(
            f"A re-ranker {name!r} with other content exists already.", "Choose another name."
        )


def load_all(connection: Connection) -> list[Reranker]:
    """Return all re-rankers, the oldest first."""
    rows = connection.execute(select(rerankers).order_by(rerankers.c.reranker_no)).mappings()
    return [_reranker(row) for row in rows]


def find(connection: Connection, name: str) -> Reranker | None:
    """Return the re-ranker called ``name``; None: there is none."""
    row = connection.execute(select(rerankers).where(rerankers.c.name == name)).mappings().first()
    return None if row is None else _reranker(row)


def get(connection: Connection, name: str) -> Reranker:
    """Return the re-ranker called ``name``.

    Raises:
        UsageError: there is none; the hint lists the existing names.
    """
    row = find(connection, name)
    if row is not None:
        return row
    names = [one.name for one in load_all(connection)]
    hint = (
        f"There are: {', '.join(names)}."
        if names
        else f"Register one with `gpt4rec rerankers add {name} --folder FOLDER`."
    )
    raise UsageError(f"There is no re-ranker {name!r}.", hint)


def load(connection: Connection, reranker_no: int) -> Reranker:
    """Return the re-ranker with this number; it must exist, since a run points to it."""
    found = connection.execute(select(rerankers).where(rerankers.c.reranker_no == reranker_no))
    return _reranker(found.mappings().one())


def is_needed(connection: Connection, reranker_no: int) -> bool:
    """Return whether a run that is not pruned has this re-ranker."""
    found = connection.execute(
        select(runs.c.run_no)
        .where(runs.c.reranker_no == reranker_no, runs.c.pruned_at.is_(None))
        .limit(1)
    )
    return found.first() is not None


def delete(connection: Connection, reranker_no: int) -> None:
    """Delete a re-ranker; pruned runs lose their reference to it, and keep their manifests."""
    pruned = update(runs).where(runs.c.reranker_no == reranker_no, runs.c.pruned_at.is_not(None))
    connection.execute(pruned.values(reranker_no=None))
    connection.execute(remove(rerankers).where(rerankers.c.reranker_no == reranker_no))


def forget_vectors_version(connection: Connection, reranker_no: int) -> None:
    """Note that no longer all items have vectors: a night makes those that it lacks."""
    chosen = update(rerankers).where(rerankers.c.reranker_no == reranker_no)
    connection.execute(chosen.values(vectors_version=None))


def set_vectors_version(connection: Connection, reranker_no: int, catalog_version: int) -> None:
    """Note that all items have vectors as of this catalog version."""
    chosen = update(rerankers).where(rerankers.c.reranker_no == reranker_no)
    connection.execute(chosen.values(vectors_version=catalog_version))


def _reranker(row: RowMapping) -> Reranker:
    return Reranker(**dict(row))


def learned_validation(card: Mapping[str, Any]) -> bool:
    """Return whether a re-ranker learned from the validation part of its split."""
    return bool(card.get("options", {}).get("learn_validation"))
