"""Storing generations: every text and every key once, also with concurrent writers."""

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gpt4rec_es.db.rows.generations import load_generated, store_generations
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.records import GeneratedQuery, Generation
from tests.databases import Database, wait_for_lock

TEXTS = {
    1: ["red lamp", "blue vase"],
    2: ["blue vase", "50 % off", "a\\tb \\N"],
    3: ["green rug", "red lamp"],
}


@pytest.fixture
def prompts(database: Database) -> Database:
    with database.engine.begin() as connection:
        for number in TEXTS:
            connection.execute(
                text("INSERT INTO prompts (prompt_hash, text, n_tokens) VALUES (:hash, :text, 3)"),
                {"hash": hash128(str(number)), "text": str(number)},
            )
        connection.execute(
            text("INSERT INTO decodings (settings_hash, settings) VALUES ('\\x00', '{}')")
        )
    return database


def store(connection: Connection, *prompt_nos: int, texts: Sequence[str] | None = None) -> int:
    made = [
        (
            number,
            Generation(
                tuple(
                    GeneratedQuery(query, -0.5 * rank, 4)
                    for rank, query in enumerate(texts or TEXTS[number], start=1)
                ),
                number * 100,
            ),
        )
        for number in prompt_nos
    ]
    hashes = {query.text: hash128(query.text) for _, one in made for query in one.queries}
    return store_generations(connection, "content", 1, made, hashes)


def stored(database: Database) -> dict[int, list[str]]:
    """Return prompt number -> texts by rank, and check the other stored columns."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT g.prompt_no, g.n_queries, g.tokens_generated, r.rank, r.sum_logprob, r.n_tokens,
                   q.text, q.query_hash
            FROM generations AS g JOIN generated_queries AS r USING (generation_no)
            JOIN queries AS q USING (query_no) ORDER BY g.prompt_no, r.rank
            """)
        ).all()
        texts = connection.execute(text("SELECT text FROM queries")).scalars().all()
        generations = connection.execute(text("SELECT count(*) FROM generations")).scalar_one()
    assert len(texts) == len(set(texts))
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.prompt_no, []).append(row.text)
        assert bytes(row.query_hash) == hash128(row.text)
        assert (row.rank, row.sum_logprob) == (len(found[row.prompt_no]), -0.5 * row.rank)
        assert (row.n_tokens, row.tokens_generated) == (4, row.prompt_no * 100)
    assert generations == len(found)
    assert all(row.n_queries == len(found[row.prompt_no]) for row in rows)
    return found


def test_texts_are_stored_once_and_ranks_refer_to_them(prompts: Database) -> None:
    with prompts.engine.begin() as connection:
        assert store(connection, 1, 2) == 2 + 5
    with prompts.engine.begin() as connection:
        assert store(connection, 3) == 1 + 2
    assert stored(prompts) == TEXTS


def test_a_generation_that_exists_is_left_as_it_is(prompts: Database) -> None:
    with prompts.engine.begin() as connection:
        store(connection, 2)
    with prompts.engine.begin() as connection:
        assert store(connection, 1, 2, 3) == 2 + 4
    with prompts.engine.begin() as connection:
        assert store(connection, 3, 1, 2) == 0
        assert store(connection, 1, texts=["another"]) == 0
    assert stored(prompts) == TEXTS


def test_a_generation_without_queries_is_one_too(prompts: Database) -> None:
    with prompts.engine.begin() as connection:
        assert store_generations(connection, "content", 1, [(1, Generation((), 8))], {}) == 1
        assert store_generations(connection, "content", 1, [], {}) == 0
        assert connection.execute(text("SELECT n_queries FROM generations")).scalars().all() == [0]


def test_queries_are_loaded_as_they_were_stored(prompts: Database) -> None:
    queries = (
        GeneratedQuery("red lamp", -1.5, 4, -6.25),
        GeneratedQuery("blue vase", -0.5, 3, -0.75),
        GeneratedQuery("no model", -3.0, 1),
    )
    hashes = {query.text: hash128(query.text) for query in queries}
    with prompts.engine.begin() as connection:
        store_generations(connection, "content", 1, [(2, Generation(queries, 9))], hashes)
        assert list(load_generated(connection, [1, 2], "content", 1)) == [(2, list(queries))]
        assert list(load_generated(connection, [2], "other", 1)) == []


def test_what_refers_to_nothing_is_refused(prompts: Database) -> None:
    with prompts.engine.connect() as connection, pytest.raises(IntegrityError, match="fk_gen"):
        store(connection, 99, texts=["red lamp"])
    assert stored(prompts) == {}


@pytest.mark.parametrize("ends", ["commit", "rollback"])
@pytest.mark.parametrize("number", [1, 2], ids=["same generation", "same text"])
def test_concurrent_writers_store_each_row_once(prompts: Database, number: int, ends: str) -> None:
    added: list[int] = []

    def store_second() -> None:
        with prompts.engine.begin() as connection:
            added.append(store(connection, number, 3))

    thread = threading.Thread(target=store_second)
    with prompts.engine.connect() as first:
        store(first, 1)
        thread.start()
        wait_for_lock(prompts.engine)
        getattr(first, ends)()
    thread.join()
    survivors = {number, 3} | ({1} if ends == "commit" else set())
    assert stored(prompts) == {no: TEXTS[no] for no in sorted(survivors)}
    is_lost = number == 1 and ends == "commit"
    assert added == [1 + 2 if is_lost else 2 + len(TEXTS[number]) + 2]
