"""Storage of a night's rows: our code, SQLAlchemy inserts, and COPY of encoded bytes."""

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, MetaData, Table, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from benchmarks.place import Place
from benchmarks.shops import FakeGenerator
from benchmarks.table import Line, at_least, percent, rate, times
from benchmarks.timing import Timing, interleaved
from gpt4rec_es.db import tables
from gpt4rec_es.db.copy import encode_chunks
from gpt4rec_es.db.rows.generations import store_generations
from gpt4rec_es.db.rows.lists import UserOutcome, store_lists
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.records import Decoding, Generation, Outcome

_ROUNDS = 3
_PER_USER = 10
# As in a night: one transaction per shard.
_PROMPTS_PER_SHARD = 256
_USERS_PER_SHARD = 1000
_LIST = ["user_no", "rank", "item_no", "source", "query_no", "query_rank", "hit_rank", "score"]
_LIST += ["from_item_no", "fused_score", "merge_rank", "rerank_score", "promoted_by"]
_OUTCOME = ["user_no", "outcome", "n_queries", "n_found", "n_recommended", "n_pinned"]
_OUTCOME += ["short_reason", "error"]
Ready = list[tuple[str, Sequence[str], bytes]]


def measure(place: Place, rows: int) -> list[Line]:
    """Return times to store ``rows`` rows of recommendations and of generated queries."""
    users = rows // _PER_USER
    return [
        *_lines("recommendations", _recommendations(place, users), users),
        *_lines("generated queries", _generations(place, users), users),
    ]


def _lines(what: str, timings: dict[str, Timing], users: int) -> list[Line]:
    ours, theirs, ready = (timings[name].wall_seconds for name in ("ours", "inserts", "ready"))
    rows = users * _PER_USER
    return [
        at_least(f"{what}: against insertmanyvalues", theirs / ours, 5.0, times),
        at_least(f"{what}: against COPY of ready bytes", ready / ours, 0.8, percent),
        Line(f"{what}: our way", rate("rows")(rows / ours)),
        Line(
            f"{what}: our client's time", f"{timings['ours'].cpu_seconds / rows * 1e6:.1f} us/row"
        ),
    ]


def _shards(rows: Sequence[Any], size: int) -> Iterator[list[Any]]:
    source = iter(rows)
    while shard := list(islice(source, size)):
        yield shard


def _in_shards(
    place: Place, shards: Sequence[Any], store: Callable[[Connection, Any], Any]
) -> None:
    for shard in shards:
        with place.engine.begin() as connection:
            store(connection, shard)


def _copy_ready(connection: Connection, ready: Ready) -> None:
    cursor = connection.connection.cursor()
    for table, columns, data in ready:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", io.BytesIO(data))


def _encode(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> bytes:
    return b"".join(encode_chunks(rows, columns))


def _recommendations(place: Place, users: int) -> dict[str, Timing]:
    place.run("SELECT create_run_partitions(1)")
    outcomes, lists = "user_outcomes_1", "recommendations_1"
    numbers = list(_shards(range(1, users + 1), _USERS_PER_SHARD))
    ours = [
        (_outcomes(shard), [row for user in shard for row in _list_of(user)]) for shard in numbers
    ]
    into = [Table(name, MetaData(), autoload_with=place.engine) for name in (outcomes, lists)]
    plain = [
        ([_outcome_row(one) for one in made], [(1, *row) for row in rows]) for made, rows in ours
    ]
    names = (["run_no", *_OUTCOME], ["run_no", *_LIST])
    dicts = [
        [
            [dict(zip(columns, row, strict=True)) for row in rows]
            for columns, rows in zip(names, pair, strict=True)
        ]
        for pair in plain
    ]
    ready: list[Ready] = [
        [
            (table, columns, _encode(rows, columns))
            for table, columns, rows in zip((outcomes, lists), names, pair, strict=True)
        ]
        for pair in plain
    ]

    def inserts(connection: Connection, pair: list[list[dict[str, Any]]]) -> None:
        for table, rows in zip(into, pair, strict=True):
            connection.execute(insert(table), rows)

    return interleaved(
        {
            "ours": (_ROUNDS, lambda: _in_shards(place, ours, lambda c, s: store_lists(c, 1, *s))),
            "inserts": (_ROUNDS, lambda: _in_shards(place, dicts, inserts)),
            "ready": (_ROUNDS, lambda: _in_shards(place, ready, _copy_ready)),
        },
        prepare=lambda: place.run(f"TRUNCATE {outcomes}, {lists}"),
    )


def _outcomes(users: Sequence[int]) -> list[UserOutcome]:
    return [UserOutcome(user, Outcome.OK, 10, _PER_USER, _PER_USER) for user in users]


def _outcome_row(one: UserOutcome) -> tuple[Any, ...]:
    found = one.n_queries, one.n_found, one.n_recommended
    return (1, one.user_no, one.outcome.value, *found, 0, None, None)


def _list_of(user: int) -> Iterator[tuple[Any, ...]]:
    for rank in range(1, _PER_USER + 1):
        item = (user * 31 + rank) % 50_000
        yield (user, rank, item, "queries", user + rank, rank, 1, 7.123456, *[None] * 5)


def _generations(place: Place, users: int) -> dict[str, Timing]:
    place.run(
        "INSERT INTO prompts (prompt_hash, text, n_tokens) "
        "SELECT decode(md5(n::text), 'hex'), 'prompt ' || n, 100 FROM generate_series(1, :n) AS n",
        n=users,
    )
    place.run("INSERT INTO decodings (settings_hash, settings) VALUES ('\\x00', '{}')")
    made = FakeGenerator().generate([f"prompt {n}" for n in range(1, users + 1)], Decoding())
    shards = list(_shards(list(enumerate(made, start=1)), _PROMPTS_PER_SHARD))
    # As in a night: hashed per shard, before it is stored.
    hashed = [
        (shard, {q.text: hash128(q.text) for _, g in shard for q in g.queries}) for shard in shards
    ]
    ready = _ready_generations(hashed)
    return interleaved(
        {
            "ours": (
                _ROUNDS,
                lambda: _in_shards(place, hashed, lambda c, s: store_generations(c, "hash", 1, *s)),
            ),
            "inserts": (
                _ROUNDS,
                lambda: _in_shards(place, hashed, lambda c, s: _insert_generations(c, *s)),
            ),
            "ready": (_ROUNDS, lambda: _in_shards(place, ready, _copy_ready)),
        },
        prepare=lambda: place.run("TRUNCATE generations, generated_queries, queries CASCADE"),
    )


def _insert_generations(
    connection: Connection, shard: list[tuple[int, Generation]], hashes: dict[str, bytes]
) -> None:
    """Store the same rows in the same tables with SQLAlchemy's inserts."""
    texts = sorted({q.text for _, g in shard for q in g.queries})
    queries, generations = tables.queries, tables.generations
    connection.execute(
        upsert(queries).on_conflict_do_nothing(),
        [{"query_hash": hashes[text], "text": text} for text in texts],
    )
    wanted = select(queries.c.query_hash, queries.c.query_no).where(
        queries.c.query_hash.in_([hashes[text] for text in texts])
    )
    numbers = {bytes(row.query_hash): row.query_no for row in connection.execute(wanted)}
    added = connection.execute(
        insert(generations).returning(generations.c.generation_no, generations.c.prompt_no),
        [
            {
                "prompt_no": prompt,
                "content_hash": "hash",
                "decoding_no": 1,
                "n_queries": len(g.queries),
                "tokens_generated": g.tokens_generated,
            }
            for prompt, g in shard
        ],
    )
    generation_nos = {row.prompt_no: row.generation_no for row in added}
    connection.execute(
        insert(tables.generated_queries),
        [
            {
                "generation_no": generation_nos[prompt],
                "rank": rank,
                "query_no": numbers[hashes[q.text]],
                "sum_logprob": q.sum_logprob,
                "n_tokens": q.n_tokens,
            }
            for prompt, g in shard
            for rank, q in enumerate(g.queries, start=1)
        ],
    )


def _ready_generations(
    hashed: list[tuple[list[tuple[int, Generation]], dict[str, bytes]]],
) -> list[Ready]:
    """Return the same rows encoded with their final numbers, unknown to a real writer."""
    numbers: dict[str, int] = {}
    ready: list[Ready] = []
    for shard, hashes in hashed:
        new = [q.text for _, g in shard for q in g.queries if q.text not in numbers]
        new = list(dict.fromkeys(new))
        numbers.update({text: len(numbers) + place for place, text in enumerate(new, start=1)})
        tables_of: list[tuple[str, list[str], list[tuple[Any, ...]]]] = [
            (
                "queries",
                ["query_no", "query_hash", "text"],
                [(numbers[text], hashes[text], text) for text in new],
            ),
            (
                "generations",
                [
                    "generation_no",
                    "prompt_no",
                    "content_hash",
                    "decoding_no",
                    "n_queries",
                    "tokens_generated",
                ],
                [(p, p, "hash", 1, len(g.queries), g.tokens_generated) for p, g in shard],
            ),
            (
                "generated_queries",
                ["generation_no", "rank", "query_no", "sum_logprob", "n_tokens"],
                [
                    (p, rank, numbers[q.text], q.sum_logprob, q.n_tokens)
                    for p, g in shard
                    for rank, q in enumerate(g.queries, start=1)
                ],
            ),
        ]
        ready.append([(name, columns, _encode(rows, columns)) for name, columns, rows in tables_of])
    return ready
