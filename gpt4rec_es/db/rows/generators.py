"""Reads and writes of registered query generators; at most one is current.

Rows only: callers check that the checkpoint folder exists and is unchanged.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gpt4rec_es.db.locks import transaction_lock
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.tables import generators
from gpt4rec_es.errors import UsageError

# A name is also that of a folder.
_NAME = re.compile(r"\w[\w.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Generator:
    """One registered generator.

    path: its checkpoint folder, or the address of its endpoint (see ``Endpoint``); None: it is of
    kind titles.
    """

    generator_no: int
    name: str
    kind: str
    path: str | None
    content_hash: str
    is_current: bool
    card: dict[str, Any]
    created_at: dt.datetime

    @property
    def changed(self) -> str:
        """A sentence that says that what was registered is not what there is now."""
        if self.kind == "endpoint":
            return f"The endpoint of generator {self.name!r} serves another model than registered."
        return f"The files of generator {self.name!r} changed since it was registered."

    @property
    def folder(self) -> Path | None:
        """The checkpoint folder; None: it has none."""
        return Path(self.path) if self.path is not None and self.kind == "gpt2" else None


def register(
    connection: Connection,
    *,
    name: str,
    kind: str,
    path: str | None,
    content_hash: str,
    card: Mapping[str, Any],
) -> Generator:
    """Return the generator called ``name``, storing it if it is new.

    Registering the same content under the same name again updates its path.

    Raises:
        UsageError: the name belongs to a generator with other content.
    """
    statement = insert(generators).values(
        name=name, kind=kind, path=path, content_hash=content_hash, card=dict(card)
    )
    connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    require_free(connection, name, content_hash)
    found = get(connection, name)
    if found.path != path:
        connection.execute(update(generators).where(generators.c.name == name).values(path=path))
        found = get(connection, name)
    return found


def require_free(connection: Connection, name: str, content_hash: str | None = None) -> None:
    """Raise unless ``name`` is new or has exactly this content.

    Raises:
        UsageError: the name belongs to a generator with other content, or can be no folder's.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a generator.",
            "Use letters, digits, dots and dashes, at most 63.",
        )
    known = select(generators.c.content_hash).where(generators.c.name == name)
    found = connection.execute(known).scalar()
    if found is not None and found != content_hash:
        raise UsageError(
            f"A generator {name!r} with other content exists already.", "Choose another name."
        )


def load_all(connection: Connection) -> list[Generator]:
    """Return all generators, the oldest first."""
    rows = connection.execute(select(generators).order_by(generators.c.generator_no)).mappings()
    return [_generator(row) for row in rows]


def current(connection: Connection) -> Generator | None:
    """Return the current generator, which the next night uses; None: none was chosen."""
    row = connection.execute(select(generators).where(generators.c.is_current)).mappings().first()
    return None if row is None else _generator(row)


def named_or_current(connection: Connection, name: str | None) -> Generator:
    """Return the generator called ``name``; without a name, the current one.

    Raises:
        UsageError: there is no generator of that name, or none is current.
    """
    if name:
        return get(connection, name)
    row = current(connection)
    if row is None:
        raise UsageError("No query generator is in use.", "Name one with --generator.")
    return row


def get(connection: Connection, name: str) -> Generator:
    """Return the generator called ``name``.

    Raises:
        UsageError: there is none; the hint lists the existing names.
    """
    row = connection.execute(select(generators).where(generators.c.name == name)).mappings().first()
    if row is not None:
        return _generator(row)
    names = list(
        connection.execute(select(generators.c.name).order_by(generators.c.name)).scalars()
    )
    hint = (
        f"There are: {', '.join(names)}." if names else "Train one with `gpt4rec train generator`."
    )
    raise UsageError(f"There is no generator {name!r}.", hint)


def load(connection: Connection, generator_no: int) -> Generator:
    """Return the generator with this number; it must exist, since a run points to it."""
    found = connection.execute(select(generators).where(generators.c.generator_no == generator_no))
    return _generator(found.mappings().one())


def newest_queries(connection: Connection, content_hash: str, limit: int) -> list[str]:
    """Return distinct first queries of the newest generations, the newest first."""
    found = connection.execute(
        text("""
        SELECT text FROM (
            SELECT DISTINCT ON (q.text) q.text, g.generation_no FROM (
                SELECT generation_no FROM generations WHERE content_hash = :content_hash
                ORDER BY generation_no DESC LIMIT :of) AS g
            JOIN generated_queries AS r ON r.generation_no = g.generation_no AND r.rank = 1
            JOIN queries AS q USING (query_no) ORDER BY q.text, g.generation_no DESC
        ) AS newest ORDER BY generation_no DESC LIMIT :limit
        """),
        {"content_hash": content_hash, "limit": limit, "of": 20 * limit},
    )
    return list(found.scalars())


def newest_cost(connection: Connection, generator_no: int) -> dict[str, float]:
    """Return prompts, seconds and tokens of the newest stored run that it wrote for.

    Seconds are those of the stage, by all workers together; empty: there is no such run.
    """
    found = connection.execute(
        text("""
        SELECT s.member_count AS prompts, s.stage_duration_s AS seconds, c.n AS tokens
        FROM runs AS r
        JOIN analytics.run_stages AS s ON s.run_id = r.run_id AND s.stage = 'generate'
        JOIN run_counts AS c ON c.run_no = r.run_no AND c.stage = 'generate' AND c.name = 'tokens'
        WHERE r.generator_no = :generator_no AND s.member_count > 0
        ORDER BY r.run_no DESC LIMIT 1
        """),
        {"generator_no": generator_no},
    )
    row = found.mappings().first()
    return dict(row) if row else {}


def use(connection: Connection, name: str, *, actor: str) -> Generator:
    """Make ``name`` the current generator, add an audit entry, and return it.

    Raises:
        UsageError: there is no such generator.
    """
    # Two concurrent calls would both unset the old one and then conflict on the unique index.
    transaction_lock(connection, "current generator")
    wanted = get(connection, name)
    before = current(connection)
    if before is not None and before.name == name:
        return wanted
    off = update(generators).where(generators.c.is_current).values(is_current=False)
    on = update(generators).where(generators.c.name == name).values(is_current=True)
    connection.execute(off)
    connection.execute(on)
    audit.record(
        connection,
        actor,
        "generator_use",
        name,
        before={"generator": before.name} if before else None,
        after={"generator": name, "content_hash": wanted.content_hash},
    )
    return get(connection, name)


def _generator(row: RowMapping) -> Generator:
    return Generator(**dict(row))
