"""Statements on index builds, called by index/.

A row is committed before its index is created, so after a kill the table still names all indices of
this database.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.tables import alias_swaps, builds
from gpt4rec_es.errors import UsageError
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class Build:
    """One row of ``builds``: an index that does not change once its state is ready.

    encoder_no: encoder whose vectors of titles it holds; None: it holds none. field_bm25: k1, b of
    fields beside the title that have others than the defaults.
    """

    build_no: int
    index_name: str
    index_uuid: str | None
    alias: str
    kind: str
    parent_build_no: int | None
    state: str
    catalog_version: int
    document_count: int | None
    bm25: Bm25
    mapping_hash: str
    actor: str
    reason: str | None
    created_at: dt.datetime
    ready_at: dt.datetime | None
    deleted_at: dt.datetime | None
    error: str | None
    is_pinned: bool
    encoder_no: int | None
    field_bm25: Mapping[str, Bm25] = field(default_factory=dict)

    def require_items(self, k: int) -> None:
        """Raise if this build has fewer than ``k`` items.

        Raises:
            UsageError: it has fewer than ``k`` items.
        """
        if self.document_count is not None and k > self.document_count:
            raise UsageError(
                f"k is {k}, but {self.index_name} holds only {self.document_count} items.",
                "Ask for shorter lists.",
            )

    def require_vectors(self, encoder: Encoder) -> None:
        """Raise unless this build holds the vectors of ``encoder``.

        Raises:
            UsageError: it holds none, or those of another encoder.
        """
        if self.encoder_no != encoder.encoder_no:
            raise UsageError(
                f"{self.index_name} holds no vectors of the encoder {encoder.name!r}.",
                f"Run `gpt4rec reindex --encoder {encoder.name}`.",
            )


def build_of(row: Any) -> Build:
    """Return the Build of a row of the table ``builds``."""
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
    values["bm25"] = Bm25(values.pop("k1"), values.pop("b"))
    fields = values["field_bm25"] or {}
    values["field_bm25"] = {name: Bm25(*one) for name, one in fields.items()}
    return Build(**values)


def load(connection: Connection, build_no: int) -> Build:
    """Return the build with this number.

    Raises:
        UsageError: there is no such build.
    """
    row = connection.execute(select(builds).where(builds.c.build_no == build_no)).one_or_none()
    if row is None:
        raise UsageError(f"There is no build {build_no}.", "See `gpt4rec index builds`.")
    return build_of(row)


def find_by_index(connection: Connection, index_name: str) -> Build | None:
    """Return the build whose index has this name; None: not built by this database."""
    row = connection.execute(select(builds).where(builds.c.index_name == index_name)).one_or_none()
    return None if row is None else build_of(row)


def list_builds(connection: Connection, alias: str, states: Iterable[str] = ()) -> list[Build]:
    """Return the builds for ``alias`` in one of ``states`` (none given: all), newest first."""
    query = select(builds).where(builds.c.alias == alias).order_by(builds.c.build_no.desc())
    if wanted := list(states):
        query = query.where(builds.c.state.in_(wanted))
    return [build_of(row) for row in connection.execute(query)]


def same_content(connection: Connection, build: Build) -> list[Build]:
    """Return the ready builds with the documents and analyzer of ``build``, itself first.

    They differ only in k1 and b, of titles or fields.
    """
    ready = list_builds(connection, build.alias, ["ready"])
    same = [other for other in ready if is_same_content(build, other)]
    return sorted(same, key=lambda other: other.build_no != build.build_no)


def is_same_content(build: Build, other: Build) -> bool:
    """Return whether two verified builds have the same documents and analyzer."""
    return (
        other.catalog_version == build.catalog_version
        and other.mapping_hash == build.mapping_hash
        and other.document_count == build.document_count
        and other.encoder_no == build.encoder_no
    )


def start(
    connection: Connection,
    *,
    index_name: str,
    alias: str,
    kind: str,
    parent: Build | None,
    catalog_version: int,
    bm25: Bm25,
    mapping_hash: str,
    actor: str,
    reason: str | None,
    encoder_no: int | None = None,
    field_bm25: Mapping[str, Bm25] = MappingProxyType({}),
) -> Build:
    """Insert a build in state building and return it.

    kind: full, or derived (cloned from ``parent``, whose ``encoder_no`` it has then).
    """
    fields = {name: [one.k1, one.b] for name, one in field_bm25.items()}
    row = connection.execute(
        insert(builds)
        .values(
            index_name=index_name,
            alias=alias,
            kind=kind,
            parent_build_no=None if parent is None else parent.build_no,
            state="building",
            catalog_version=catalog_version,
            k1=bm25.k1,
            b=bm25.b,
            mapping_hash=mapping_hash,
            actor=actor,
            reason=reason,
            encoder_no=encoder_no if parent is None else parent.encoder_no,
            field_bm25=fields or None,
        )
        .returning(builds)
    ).one()
    return build_of(row)


def finish(connection: Connection, build_no: int, index_uuid: str, document_count: int) -> Build:
    """Mark a build as ready and return it."""
    row = connection.execute(
        update(builds)
        .where(builds.c.build_no == build_no, builds.c.state == "building")
        .values(
            state="ready",
            index_uuid=index_uuid,
            document_count=document_count,
            ready_at=func.clock_timestamp(),
        )
        .returning(builds)
    ).one()
    return build_of(row)


def fail(connection: Connection, build_no: int, error: str) -> None:
    """Mark an unfinished build as failed; the caller deleted its index before."""
    connection.execute(
        update(builds)
        .where(builds.c.build_no == build_no, builds.c.state == "building")
        .values(state="failed", error=error[:1000], deleted_at=func.clock_timestamp())
    )


@dataclass(frozen=True, slots=True)
class Swap:
    """One row of ``alias_swaps``. action: reindex, bm25, synonyms, undo or rollback."""

    swap_no: int
    alias: str
    from_build_no: int | None
    to_build_no: int
    action: str
    actor: str
    reason: str | None
    swapped_at: dt.datetime


def record_swap(
    connection: Connection,
    alias: str,
    from_build_no: int | None,
    to_build_no: int,
    action: str,
    actor: str,
    reason: str | None,
) -> None:
    """Insert an alias swap."""
    connection.execute(
        insert(alias_swaps).values(
            alias=alias,
            from_build_no=from_build_no,
            to_build_no=to_build_no,
            action=action,
            actor=actor,
            reason=reason,
        )
    )


def list_swaps(connection: Connection, alias: str, limit: int | None = None) -> list[Swap]:
    """Return the alias swaps, newest first."""
    query = (
        select(alias_swaps)
        .where(alias_swaps.c.alias == alias)
        .order_by(alias_swaps.c.swap_no.desc())
        .limit(limit)
    )
    return [Swap(**row) for row in connection.execute(query).mappings()]
