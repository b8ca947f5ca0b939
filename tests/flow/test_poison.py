"""A prompt, query or user that always fails affects only its users, not the night."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.history import stream_histories
from gpt4rec_es.night import drain
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import ChoosingGenerator, QueryGenerator, Retriever
from gpt4rec_es.records import CatalogTitles, Decoding, Generation, Prompt, SearchResult
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)


class PoisonedGenerator:
    """A generator that fails on one prompt, as if it ran out of memory."""

    def __init__(self, inner: QueryGenerator, poison: str) -> None:
        self._inner, self._poison = inner, poison
        self.content_hash = inner.content_hash
        self.prompt_form = inner.prompt_form

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        return self._inner.write_prompt(titles)

    def choosing(self, titles: CatalogTitles) -> ChoosingGenerator:
        return self._inner.choosing(titles)

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        if self._poison in prompts:
            raise MemoryError(f"poison among {len(prompts)}")
        return self._inner.generate(prompts, decoding)


class PoisonedRetriever:
    """A retriever that fails on one query."""

    def __init__(self, inner: Retriever, poison: str) -> None:
        self._inner, self._poison = inner, poison

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        if self._poison in texts:
            raise ValueError("poisoned query")
        return self._inner.search(texts, depth, options)


def failed_users(database: Database) -> list[tuple[str, str]]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT user_id, error FROM user_outcomes JOIN users USING (user_no) "
                "WHERE outcome = 'failed' ORDER BY 1"
            )
        )
        return [(row.user_id, row.error) for row in found]


def run(parts: NightParts, shop: Shop) -> str:
    options = shop.runtime(max_failures=1, gate_limits="failed=0.2 full=0").night_options()
    return run_night(parts, options, DAY).state


def prompt_of(parts: NightParts, database: Database, user_id: str) -> str:
    """Return the prompt of a user, which no other user has, from a dry run of a plan."""
    with database.engine.connect() as connection:
        row = generators.current(connection)
        assert row is not None
        generator = parts.open_generator(row)
        for _, name, history in stream_histories(connection):
            if name == user_id:
                prompt = generator.write_prompt([title for _, title, _ in history if title])
                assert prompt is not None
                return prompt.text
    raise AssertionError(user_id)


def test_a_prompt_that_kills_generation(shop: Shop, database: Database) -> None:
    parts = shop.runtime().night_parts()
    poison = prompt_of(parts, database, "u014")
    opened = parts.open_generator
    poisoned = replace(parts, open_generator=lambda *row: PoisonedGenerator(opened(*row), poison))
    assert run(poisoned, shop) == "published"
    assert [user for user, _ in failed_users(database)] == ["u014"]
    with database.engine.connect() as connection:
        tries = connection.execute(
            text("SELECT sum(attempt) FROM shards WHERE stage = 'generate'")
        ).scalar_one()
        lists = connection.execute(
            text("SELECT count(DISTINCT user_no) FROM recommendations")
        ).scalar_one()
    assert lists == 39
    # 5 shards of 8; the poisoned one is tried, split, and so on down to one: log2(8) levels.
    assert tries <= 5 + 2 * 2 * 4


def test_a_query_that_cannot_be_searched(shop: Shop, database: Database) -> None:
    parts = shop.runtime().night_parts()
    with database.engine.connect() as connection:
        title = connection.execute(
            text(
                "SELECT title FROM interactions JOIN items USING (item_no) JOIN users "
                "USING (user_no) WHERE user_id = 'u014' ORDER BY event_no DESC LIMIT 1"
            )
        ).scalar_one()
    opened = parts.open_retriever
    poisoned = replace(
        parts, open_retriever=lambda index, run_id: PoisonedRetriever(opened(index, run_id), title)
    )
    assert run(poisoned, shop) == "published"
    failed = failed_users(database)
    assert "u014" in [user for user, _ in failed]
    assert all("could not be searched" in error for _, error in failed)
    with database.engine.connect() as connection:
        bought = connection.execute(
            text(
                "SELECT DISTINCT user_id FROM interactions JOIN users USING (user_no) "
                "JOIN items USING (item_no) WHERE title = :title"
            ),
            {"title": title},
        ).scalars()
        # Only users with that query among theirs.
        assert {user for user, _ in failed} <= set(bought)


def test_a_user_whose_merge_fails(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.engine.connect() as connection:
        user_no = connection.execute(
            text("SELECT user_no FROM users WHERE user_id = 'u014'")
        ).scalar_one()
    honest = MergeInputs.merge

    def poisoned(self: MergeInputs, user: object, *rest: object, **named: object) -> object:
        if user.user_no == user_no:  # type: ignore[attr-defined]
            raise ZeroDivisionError("poisoned user")
        return honest(self, user, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(MergeInputs, "merge", poisoned)
    assert drain  # the loop under test
    assert run(shop.runtime().night_parts(), shop) == "published"
    ((user, error),) = failed_users(database)
    assert user == "u014"
    assert "ZeroDivisionError: poisoned user" in error
