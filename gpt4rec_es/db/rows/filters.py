"""Reads and writes of query filters and of the results of filtering queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import store_new


@dataclass(frozen=True, slots=True)
class FrozenFilters:
    """One row of ``query_filters``. scripts: allowed scripts; None: all.

    refuse_repetition: queries that repeat themselves are removed. max_unknown_fraction: maximum
    fraction of a query's terms that index ``index_name`` lacks (index_name None: not checked) in
    titles and ``fields``.
    """

    filters_no: int
    phrases: tuple[str, ...]
    scripts: frozenset[str] | None
    max_unknown_fraction: float
    index_name: str | None
    refuse_repetition: bool = False
    fields: tuple[str, ...] = ()


def filters_number(
    connection: Connection, settings_hash: bytes, settings: str, phrases: Sequence[str]
) -> int:
    """Return the number of filters by their settings (canonical JSON), storing new ones."""
    connection.execute(
        text(
            "INSERT INTO query_filters (filters_hash, settings, phrases) "
            "VALUES (:hash, cast(:settings AS jsonb), :phrases) ON CONFLICT DO NOTHING"
        ),
        {"hash": settings_hash, "settings": settings, "phrases": list(phrases)},
    )
    found = connection.execute(
        text("SELECT filters_no FROM query_filters WHERE filters_hash = :hash"),
        {"hash": settings_hash},
    )
    return int(found.scalar_one())


def frozen_filters(
    filters_no: int, phrases: Sequence[str], settings: Mapping[str, Any]
) -> FrozenFilters:
    """Return the filters of a row's phrases and settings."""
    scripts = settings["scripts"]
    return FrozenFilters(
        filters_no,
        tuple(phrases),
        None if scripts is None else frozenset(scripts),
        float(settings["max_unknown_fraction"]),
        settings["index"],
        settings.get("refuse_repetition", False),
        tuple(settings.get("fields", ())),
    )


def load_filters(connection: Connection, filters_no: int) -> FrozenFilters:
    """Return the filters with this number; they must exist."""
    row = connection.execute(
        text("SELECT phrases, settings FROM query_filters WHERE filters_no = :no"),
        {"no": filters_no},
    ).one()
    return frozen_filters(filters_no, row.phrases, row.settings)


def catalog_scripts(
    connection: Connection, patterns: dict[str, str], min_fraction: float
) -> list[str]:
    """Return the scripts that at least ``min_fraction`` of the active items' titles use, by name.

    patterns: script -> regular expression of one of its letters.
    """
    names = sorted(patterns)
    columns = ", ".join(
        f"count(*) FILTER (WHERE title ~ :p{place}) AS c{place}" for place in range(len(names))
    )
    row = connection.execute(
        text(
            f"SELECT count(*) AS n, {columns} FROM items "  # noqa: S608 - made of numbers
            "WHERE is_active AND title IS NOT NULL"
        ),
        {f"p{place}": patterns[name] for place, name in enumerate(names)},
    ).one()
    return [name for name, n in zip(names, row[1:], strict=True) if n and n >= min_fraction * row.n]


def store_verdicts(
    connection: Connection, filters_no: int, verdicts: Iterable[tuple[int, str | None, str | None]]
) -> int:
    """Store verdicts as (query number, reason, detail); return the number of rows added."""
    return store_new(
        connection,
        "query_verdicts",
        ["filters_no", "query_no"],
        ["filters_no", "query_no", "reason", "detail"],
        ((filters_no, *verdict) for verdict in verdicts),
    )


def count_removed(connection: Connection, run: Run) -> dict[str, int]:
    """Return the number of distinct queries that a run's filters removed, by reason, most first.

    Unlike the view removed_queries it counts no users, so a status of a large run is quick.
    """
    found = connection.execute(
        text("""
        SELECT v.reason AS name, count(*) AS n FROM query_verdicts AS v
        WHERE v.filters_no = :filters_no AND v.reason IS NOT NULL AND EXISTS (
            SELECT FROM generated_queries AS q JOIN generations AS g USING (generation_no)
            WHERE q.query_no = v.query_no AND g.content_hash = :content_hash
              AND g.decoding_no = :decoding_no
              AND g.prompt_no IN (SELECT prompt_no FROM run_users WHERE run_no = :run_no))
        GROUP BY 1 ORDER BY 2 DESC, 1
        """),
        {
            "filters_no": run.filters_no,
            "content_hash": run.content_hash,
            "decoding_no": run.decoding_no,
            "run_no": run.run_no,
        },
    )
    return {row.name: row.n for row in found}


def load_removed(
    connection: Connection, filters_no: int | None, query_nos: Iterable[int]
) -> dict[int, tuple[str, str]]:
    """Return query number -> (reason, detail) for queries that the filters, if any, remove."""
    if filters_no is None:
        return {}
    found = connection.execute(
        text("""
        SELECT query_no, reason, detail FROM query_verdicts
        WHERE filters_no = :no AND reason IS NOT NULL AND query_no = ANY(:numbers)
        """),
        {"no": filters_no, "numbers": sorted(set(query_nos))},
    )
    return {row.query_no: (row.reason, row.detail) for row in found}
