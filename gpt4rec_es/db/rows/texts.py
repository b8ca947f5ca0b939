"""Storing searches and other rows by key without changing existing rows; loading texts.

Rows are copied to a temporary table and inserted by one sorted INSERT ... ON CONFLICT DO NOTHING,
so that retries are safe and concurrent writers of equal keys lock in the same order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.records import SearchResult


def store_new(
    connection: Connection,
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Store the rows of ``table`` whose key is new; return their number.

    table, key and columns are names from this package, never input. If a key repeats in ``rows``,
    one of its rows is stored.
    """
    staged = f"staged_{table}"
    names, keys = ", ".join(columns), ", ".join(key)
    shape = f"SELECT {names} FROM {table} WITH NO DATA"  # noqa: S608 - names of this package
    connection.execute(
        text(f"CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS {shape}")
    )
    # Remove rows of an earlier call in the same transaction.
    connection.execute(text(f"TRUNCATE {staged}"))
    copy_rows(connection, staged, columns, rows)
    return connection.execute(
        text(
            f"INSERT INTO {table} ({names}) "  # noqa: S608 - names of this package
            f"SELECT DISTINCT ON ({keys}) {names} FROM {staged} ORDER BY {keys} "
            f"ON CONFLICT ({keys}) DO NOTHING"
        )
    ).rowcount


def decoding_number(connection: Connection, settings_hash: bytes, settings: str) -> int:
    """Return the number of these decoding settings (canonical JSON), storing new ones."""
    names = ("decodings", "decoding_no", "settings_hash", "settings")
    return settings_number(connection, names, settings_hash, settings)


def settings_number(
    connection: Connection, names: tuple[str, str, str, str], digest: bytes, settings: str
) -> int:
    """Return the number of these settings (canonical JSON), storing new ones.

    names: the table and its columns for number, hash and settings.
    """
    table, number, hashed, value = names
    connection.execute(
        text(
            f"INSERT INTO {table} ({hashed}, {value}) "  # noqa: S608 - names of callers here
            f"VALUES (:hash, cast(:settings AS jsonb)) ON CONFLICT ({hashed}) DO NOTHING"
        ),
        {"hash": digest, "settings": settings},
    )
    found = connection.execute(
        text(f"SELECT {number} FROM {table} WHERE {hashed} = :hash"),  # noqa: S608 - likewise
        {"hash": digest},
    )
    return int(found.scalar_one())


def prompt_numbers(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Return hash -> number for those prompts that are stored."""
    found = connection.execute(
        text("SELECT prompt_hash, prompt_no FROM prompts WHERE prompt_hash = ANY(:hashes)"),
        {"hashes": list(hashes)},
    )
    return {bytes(row.prompt_hash): row.prompt_no for row in found}


def load_prompts(connection: Connection, prompt_nos: Sequence[int]) -> list[str]:
    """Return the texts of these prompts, in the given order."""
    found = connection.execute(
        text("SELECT prompt_no, text FROM prompts WHERE prompt_no = ANY(:numbers)"),
        {"numbers": list(prompt_nos)},
    )
    texts: dict[int, str] = {row.prompt_no: row.text for row in found}
    return [texts[number] for number in prompt_nos]


def load_queries(connection: Connection, query_nos: Sequence[int]) -> list[str]:
    """Return the texts of these queries, in the given order."""
    found = connection.execute(
        text("SELECT query_no, text FROM queries WHERE query_no = ANY(:numbers)"),
        {"numbers": list(query_nos)},
    )
    texts: dict[int, str] = {row.query_no: row.text for row in found}
    return [texts[number] for number in query_nos]


def store_searches(
    connection: Connection,
    build_no: int,
    depth: int,
    results: Iterable[tuple[int, SearchResult]],
    options_no: int = 0,
) -> int:
    """Store searches as (query number, result); return the number of rows added."""
    key = ["build_no", "query_no", "depth", "options_no"]
    return store_new(
        connection,
        "searches",
        key,
        [
            *key,
            "item_nos",
            "scores",
            "is_exhausted",
            "is_empty_query",
        ],
        (
            (
                *(build_no, query_no, depth, options_no),
                *(r.item_nos, r.scores, r.exhausted, r.is_empty_query),
            )
            for query_no, r in results
        ),
    )


_WHOLE = "item_nos, scores, is_exhausted"
_BEGINNING = "item_nos[: :most], scores[: :most], is_exhausted AND cardinality(item_nos) <= :most"


def load_searches(
    connection: Connection,
    build_no: int,
    depth: int,
    query_nos: Sequence[int],
    options_no: int = 0,
    most: int | None = None,
) -> dict[int, SearchResult]:
    """Return query number -> stored result at this build, depth and options.

    most: maximum number of hits read per search, as if that had been its depth; None: all.
    """
    hits = _WHOLE if most is None else _BEGINNING
    found = connection.execute(
        text(
            f"SELECT query_no, is_empty_query, {hits} FROM searches "  # noqa: S608 - named above
            "WHERE build_no = :build_no AND depth = :depth AND options_no = :options_no "
            "AND query_no = ANY(:numbers)"
        ),
        {
            "build_no": build_no,
            "depth": depth,
            "options_no": options_no,
            "numbers": list(query_nos),
            **({} if most is None else {"most": most}),
        },
    )
    return {
        query_no: SearchResult(tuple(item_nos), tuple(scores), is_exhausted, is_empty_query)
        for query_no, is_empty_query, item_nos, scores, is_exhausted in found
    }


# options_no of a search without options; search_options has no such row.
NO_OPTIONS = 0


@dataclass(frozen=True, slots=True)
class Lacking:
    """Roles of a query in a run, and whether it lacks a search: by words in a role, or by vectors.

    by_vectors: whatever its role.
    """

    is_query: bool
    is_title: bool
    as_query: bool
    as_title: bool
    by_vectors: bool


def options_number(connection: Connection, options_hash: bytes, options: str) -> int:
    """Return the number of these search options (canonical JSON), storing new ones."""
    names = ("search_options", "options_no", "options_hash", "options")
    return settings_number(connection, names, options_hash, options)


def lacking_searches(
    connection: Connection, run: Run, query_nos: Sequence[int], near: tuple[int, int] = (0, 0)
) -> dict[int, Lacking]:
    """Return which of a run's queries lack a search at the run's first depth.

    near: options number and depth of searches by vectors.
    """
    found = connection.execute(
        text("""
        SELECT query_no, is_query, is_title,
            is_query AND NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                    AND s.query_no = n.query_no AND s.depth = :depth
                    AND s.options_no = :options_no) AS as_query,
            is_title AND NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                    AND s.query_no = n.query_no AND s.depth = :depth
                    AND s.options_no = 0) AS as_title,
            NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                    AND s.query_no = n.query_no AND s.depth = :near_depth
                    AND s.options_no = :near_no) AS by_vectors
        FROM (
            SELECT query_no,
                EXISTS (SELECT FROM generated_queries AS g WHERE g.query_no = q.query_no)
                    AS is_query,
                EXISTS (SELECT FROM run_titles AS t WHERE t.run_no = :run_no
                    AND t.query_no = q.query_no) AS is_title
            FROM unnest(cast(:numbers AS bigint[])) AS q (query_no)
        ) AS n
        """),
        {
            "build_no": run.build_no,
            "depth": run.depth,
            "options_no": run.search_options_no,
            "run_no": run.run_no,
            "near_no": near[0],
            "near_depth": near[1],
            "numbers": list(query_nos),
        },
    )
    return {query_no: Lacking(*roles) for query_no, *roles in found}
