"""Storing generated queries: each distinct text once, generations by key, ranked queries.

These are most of the rows that a night writes, so they are written by COPY with numbers taken
beforehand. COPY cannot skip a row that exists: in that rare case it is rolled back and the rows are
inserted one by one. A retry is safe: existing rows are not changed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gpt4rec_es.db import locks
from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.records import GeneratedQuery, Generation

_HASH_BYTES = 16
_QUERY_NOS, _GENERATION_NOS = "queries_query_no_seq", "generations_generation_no_seq"
# The result is two arrays: fetching one row per text takes longer than the search itself.
_KNOWN = text("""
SELECT coalesce(string_agg(query_hash, ''), '') AS hashes, array_agg(query_no) AS numbers
FROM queries WHERE query_hash = ANY(cast(:hashes AS bytea[]))
""")
_TAKE = text(
    "SELECT array_agg(nextval(cast(:sequence AS regclass))) FROM generate_series(1, :count)"
)
_ADD_QUERIES = text("""
INSERT INTO queries (query_hash, text)
SELECT h, t FROM unnest(cast(:hashes AS bytea[]), cast(:texts AS text[])) AS x(h, t)
ON CONFLICT (query_hash) DO NOTHING
""")
_GENERATION = ["prompt_no", "content_hash", "decoding_no", "n_queries", "tokens_generated"]
_ADD_GENERATIONS = text("""
INSERT INTO generations (prompt_no, content_hash, decoding_no, n_queries, tokens_generated)
SELECT p, :content_hash, :decoding_no, n, t
FROM unnest(cast(:prompts AS bigint[]), cast(:n AS int[]), cast(:t AS int[])) AS x(p, n, t)
ON CONFLICT DO NOTHING RETURNING generation_no, prompt_no
""")


def store_generations(
    connection: Connection,
    content_hash: str,
    decoding_no: int,
    generations: Sequence[tuple[int, Generation]],
    hashes: Mapping[str, bytes],
) -> int:
    """Store generations as (prompt number, generation); return the number of rows added.

    hashes: 128-bit hash of each query text. An existing generation is not changed.
    """
    locks.share_lock(connection, locks.TEXTS)
    query_nos = _number_queries(
        connection, {q.text: hashes[q.text] for _, g in generations for q in g.queries}
    )
    numbers = _add_generations(connection, content_hash, decoding_no, generations)
    rows = (
        (number, rank, query_nos[q.text], q.sum_logprob, q.n_tokens, q.prior_logprob)
        for prompt_no, generation in generations
        if (number := numbers.get(prompt_no)) is not None
        for rank, q in enumerate(generation.queries, start=1)
    )
    return len(numbers) + copy_rows(
        connection,
        "generated_queries",
        ["generation_no", "rank", "query_no", "sum_logprob", "n_tokens", "prior_logprob"],
        rows,
    )


def _number_queries(connection: Connection, hashes: Mapping[str, bytes]) -> dict[str, int]:
    """Return the number of each of these texts (text -> hash), storing new ones.

    Texts are processed in hash order, so that concurrent writers of the same texts cannot deadlock
    and index pages are read in order. New numbers ascend in the given order, so that rows that
    refer to them in that order are adjacent in indexes.
    """
    if not hashes:
        return {}
    keys = list(hashes.values())
    order = _order(keys)
    known = _load_numbers(connection, [keys[place] for place in order])
    new = [place for place, key in enumerate(keys) if key not in known]
    if new:
        taken = dict(zip(new, _take_numbers(connection, _QUERY_NOS, len(new)), strict=True))
        texts = list(hashes)
        known |= _add_queries(
            connection,
            [(keys[place], texts[place], taken[place]) for place in order if place in taken],
        )
    return {query: known[key] for query, key in hashes.items()}


def _order(hashes: Sequence[bytes]) -> list[int]:
    """Return the positions of hashes sorted by their first half; ties are rare."""
    halves = np.frombuffer(b"".join(hashes), dtype=">u8")[:: _HASH_BYTES // 8]
    order: list[int] = halves.astype(np.uint64).argsort().tolist()
    return order


def _load_numbers(connection: Connection, hashes: Collection[bytes]) -> dict[bytes, int]:
    row = connection.execute(_KNOWN, {"hashes": _array(hashes)}).one()
    found = bytes(row.hashes)
    ends = range(_HASH_BYTES, len(found) + 1, _HASH_BYTES)
    keys = [found[end - _HASH_BYTES : end] for end in ends]
    return dict(zip(keys, row.numbers or [], strict=True))


def _add_queries(
    connection: Connection, rows: Sequence[tuple[bytes, str, int]]
) -> dict[bytes, int]:
    """Store new texts as (hash, text, number); return hash -> stored number."""
    keys = [key for key, _, _ in rows]
    if _copy_new(connection, "queries", ["query_hash", "text", "query_no"], rows):
        return {key: number for key, _, number in rows}
    texts = [query for _, query, _ in rows]
    connection.execute(_ADD_QUERIES, {"hashes": _array(keys), "texts": texts})
    return _load_numbers(connection, keys)


def _add_generations(
    connection: Connection,
    content_hash: str,
    decoding_no: int,
    generations: Sequence[tuple[int, Generation]],
) -> dict[int, int]:
    """Store generations without their queries; return the numbers of new ones by prompt number."""
    given = sorted((p, len(g.queries), g.tokens_generated) for p, g in generations)
    numbers = _take_numbers(connection, _GENERATION_NOS, len(given))
    rows = (
        (p, content_hash, decoding_no, n, tokens, number)
        for (p, n, tokens), number in zip(given, numbers, strict=True)
    )
    if _copy_new(connection, "generations", [*_GENERATION, "generation_no"], rows):
        return {p: number for (p, _, _), number in zip(given, numbers, strict=True)}
    added = connection.execute(
        _ADD_GENERATIONS,
        {
            "content_hash": content_hash,
            "decoding_no": decoding_no,
            "prompts": [p for p, _, _ in given],
            "n": [n for _, n, _ in given],
            "t": [tokens for _, _, tokens in given],
        },
    )
    return {row.prompt_no: row.generation_no for row in added}


def _take_numbers(connection: Connection, sequence: str, count: int) -> list[int]:
    """Return ``count`` new numbers of a sequence; they may have gaps."""
    taken = connection.execute(_TAKE, {"sequence": sequence, "count": count})
    return taken.scalar_one() or []


def _copy_new(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> bool:
    """Copy rows and return True; False: a row exists already and nothing was copied."""
    try:
        with connection.begin_nested():
            copy_rows(connection, table, columns, rows)
    except IntegrityError:
        return False
    return True


def _array(hashes: Collection[bytes]) -> str:
    """Return hashes as the text of a Postgres array, faster to parse than one value each."""
    return "{\\\\x" + b"".join(hashes).hex(",", _HASH_BYTES).replace(",", ",\\\\x") + "}"


def load_beam_scores(
    connection: Connection, prompt_no: int | None, content_hash: str, decoding_no: int
) -> dict[int, float]:
    """Return rank -> mean log-probability per token of the queries generated for a prompt."""
    found = connection.execute(
        text("""
        SELECT q.rank, q.sum_logprob / greatest(q.n_tokens, 1) AS beam_score
        FROM generated_queries AS q JOIN generations AS g USING (generation_no)
        WHERE g.prompt_no = :prompt_no AND g.content_hash = :content_hash
          AND g.decoding_no = :decoding_no
        """),
        {"prompt_no": prompt_no, "content_hash": content_hash, "decoding_no": decoding_no},
    )
    return {row.rank: row.beam_score for row in found}


def without_generation(
    connection: Connection, prompt_nos: Sequence[int], content_hash: str, decoding_no: int
) -> list[tuple[int, int]]:
    """Return (tokens, prompt number) of those prompts that have no generation."""
    found = connection.execute(
        text("""
        SELECT p.n_tokens, p.prompt_no FROM prompts AS p
        WHERE p.prompt_no = ANY(:numbers) AND NOT EXISTS (
            SELECT FROM generations AS g WHERE g.prompt_no = p.prompt_no
              AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no)
        """),
        {"numbers": prompt_nos, "content_hash": content_hash, "decoding_no": decoding_no},
    )
    return [(row.n_tokens, row.prompt_no) for row in found]


_GENERATED = text("""
SELECT g.prompt_no, array_agg(q.text ORDER BY r.rank) AS texts,
       array_agg(r.sum_logprob ORDER BY r.rank) AS sums,
       array_agg(r.n_tokens ORDER BY r.rank) AS lengths,
       array_agg(r.prior_logprob ORDER BY r.rank) AS priors
FROM generations AS g JOIN generated_queries AS r USING (generation_no)
JOIN queries AS q USING (query_no)
WHERE g.prompt_no = ANY(:numbers) AND g.content_hash = :content_hash
  AND g.decoding_no = :decoding_no
GROUP BY g.prompt_no
""")


def load_generated(
    connection: Connection, prompt_nos: Sequence[int], content_hash: str, decoding_no: int
) -> Iterator[tuple[int, list[GeneratedQuery]]]:
    """Yield prompt number and queries, best first, of those prompts that have a generation."""
    values = {"numbers": prompt_nos, "content_hash": content_hash, "decoding_no": decoding_no}
    for row in connection.execute(_GENERATED, values):
        queries = zip(row.texts, row.sums, row.lengths, row.priors, strict=True)
        yield row.prompt_no, [GeneratedQuery(*query) for query in queries]
