"""Reads and writes of registered encoders. Rows only: callers check the folders.

Removed encoders keep their rows, because builds and stored searches refer to them.
"""

import datetime as dt
import re
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from gpt4rec_es.db.locks import transaction_lock
from gpt4rec_es.db.tables import builds, encoders
from gpt4rec_es.errors import UsageError

_NAME = re.compile(r"\w[\w.-]{0,62}")
# `gpt4rec reindex --encoder none` builds without vectors.
_RESERVED = {"none"}


@dataclass(frozen=True, slots=True)
class Encoder:
    """One registered encoder.

    kind: folder, static, generator or reranker. dims: components of a vector. path: its folder or
    file; None: that of its network. source: name of the generator or re-ranker that it is made of;
    None: of none.
    """

    encoder_no: int
    name: str
    kind: str
    content_hash: str
    dims: int
    path: str | None
    source: str | None
    actor: str
    created_at: dt.datetime
    removed_at: dt.datetime | None

    def as_dict(self) -> dict[str, str]:
        """Return name and content hash, for manifests and evaluations."""
        return {"name": self.name, "content_hash": self.content_hash}


def register(
    connection: Connection,
    *,
    name: str,
    kind: str,
    content_hash: str,
    dims: int,
    path: str | None,
    source: str | None,
    actor: str,
) -> Encoder:
    """Return the encoder called ``name``, storing it if it is new.

    Registering the same content under the same name again updates where it is.

    Raises:
        UsageError: see ``require_free``.
    """
    transaction_lock(connection, "encoders")
    require_free(connection, name, content_hash)
    place = {"kind": kind, "path": path, "source": source}
    if (known := find(connection, name)) is not None:
        moved = update(encoders).where(encoders.c.encoder_no == known.encoder_no).values(**place)
        connection.execute(moved)
        return get(connection, name)
    connection.execute(
        insert(encoders).values(
            name=name, content_hash=content_hash, dims=dims, actor=actor, **place
        )
    )
    return get(connection, name)


def require_free(connection: Connection, name: str, content_hash: str) -> None:
    """Raise unless ``name`` is new, and so is the content; or it has exactly this content.

    Vectors are kept per encoder, so two names of one content would be two encodings of the catalog.

    Raises:
        UsageError: the name belongs to an encoder with other content, or can be none's; or the
            content has another name.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            f"{name!r} cannot be the name of an encoder.",
            "Use letters, digits, dots and dashes, at most 63; not none.",
        )
    known = find(connection, name)
    if known is not None and known.content_hash != content_hash:
        raise UsageError(
            f"An encoder {name!r} with other content exists already.", "Choose another name."
        )
    twins = [one.name for one in load_all(connection) if one.content_hash == content_hash]
    if known is None and twins:
        raise UsageError(
            f"The encoder {twins[0]!r} has this content already.", f"Use {twins[0]!r}."
        )


def load_all(connection: Connection) -> list[Encoder]:
    """Return all encoders that are not removed, the oldest first."""
    kept = select(encoders).where(encoders.c.removed_at.is_(None)).order_by(encoders.c.encoder_no)
    return [_encoder(row) for row in connection.execute(kept).mappings()]


def find(connection: Connection, name: str) -> Encoder | None:
    """Return the encoder called ``name``; None: there is none, or it was removed."""
    kept = select(encoders).where(encoders.c.name == name, encoders.c.removed_at.is_(None))
    row = connection.execute(kept).mappings().first()
    return None if row is None else _encoder(row)


def get(connection: Connection, name: str) -> Encoder:
    """Return the encoder called ``name``.

    Raises:
        UsageError: there is none; the hint lists the existing names.
    """
    if (found := find(connection, name)) is not None:
        return found
    names = [one.name for one in load_all(connection)]
    hint = (
        f"There are: {', '.join(names)}."
        if names
        else f"Register one with `gpt4rec encoders add {name} --folder FOLDER`."
    )
    raise UsageError(f"There is no encoder {name!r}.", hint)


def load(connection: Connection, encoder_no: int) -> Encoder:
    """Return the encoder with this number, removed or not; a build or run points to it."""
    found = connection.execute(select(encoders).where(encoders.c.encoder_no == encoder_no))
    return _encoder(found.mappings().one())


def made_of(connection: Connection, kind: str, source: str) -> list[str]:
    """Return the names of the encoders made of a generator or re-ranker, ``kind``."""
    return [one.name for one in load_all(connection) if (one.kind, one.source) == (kind, source)]


def builds_with(connection: Connection, encoder_no: int) -> dict[int, str]:
    """Return number -> index, not deleted, of the builds that hold vectors of an encoder."""
    found = select(builds.c.build_no, builds.c.index_name).where(
        builds.c.encoder_no == encoder_no, builds.c.state.in_(["building", "ready"])
    )
    rows = connection.execute(found.order_by(builds.c.build_no))
    return {row.build_no: row.index_name for row in rows}


def mark_removed(connection: Connection, encoder_no: int) -> None:
    """Free the name of an encoder; the caller deleted its vectors."""
    chosen = update(encoders).where(encoders.c.encoder_no == encoder_no)
    connection.execute(chosen.values(removed_at=func.clock_timestamp()))


def _encoder(row: RowMapping) -> Encoder:
    return Encoder(**dict(row))
