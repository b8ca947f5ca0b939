"""A small shop with known users and items, and a Runtime on test servers."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import recipes
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.options.recipe_document import read_document
from gpt4rec_es.options.source_weights import parse_sources
from gpt4rec_es.records import Decoding
from gpt4rec_es.runtime import Runtime
from gpt4rec_es.settings.names import MOVED
from tests.databases import Database
from tests.servers import Servers

KINDS = ("candle", "teapot", "lantern", "cushion", "clock")
STYLES = ("vintage", "garden", "kitchen", "christmas")
COLOURS = ("red", "blue", "green")
TITLES = [" ".join(words) for words in itertools.product(STYLES, COLOURS, KINDS)]


@dataclass(frozen=True)
class Shop:
    """A filled database, and the environment variables to use it."""

    environ: dict[str, str]

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the shop's environment in this process until the test ends."""
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)

    def runtime(self, **changes: object) -> Runtime:
        """Return a Runtime; ``changes``: GPT4REC_* settings by lower-case name.

        Names of settings that moved to the recipe change the live recipe of this Runtime only.
        """
        given = {f"GPT4REC_{name.upper()}": str(value) for name, value in changes.items()}
        entries = {MOVED[name]: value for name, value in given.items() if name in MOVED}
        others = {name: value for name, value in given.items() if name not in MOVED}
        made = ShopRuntime.from_environment({**self.environ, **others}, env_file=None)
        assert isinstance(made, ShopRuntime)
        made.entries = entries
        return made


class ShopRuntime(Runtime):
    """A Runtime with other entries of its live recipe, by dotted name."""

    entries: Mapping[str, str] = {}

    def recipe_called(self, name: str | None) -> NamedRecipe:
        """Return the recipe; the live one with the entries of this Runtime."""
        found = super().recipe_called(name)
        if name is not None or not self.entries:
            return found
        return NamedRecipe(f"{found.name}-changed", with_entries(found.recipe, self.entries))


def with_entries(recipe: Recipe, entries: Mapping[str, str]) -> Recipe:
    """Return ``recipe`` with other entries of its document, given as texts."""
    document = recipe.as_document()
    for dotted, value in entries.items():
        *above, last = dotted.split(".")
        place = document
        for part in above:
            place = place[part]
        if last == "weights":
            place[last] = [list(pair) for pair in parse_sources(value)]
        elif last in TEXTS:
            place[last] = value
        else:
            place[last] = json.loads(value.lower())
    return read_document(document)


# Entries of a recipe's document that are texts.
TEXTS = ("method", "dtype", "minimum_should_match")
# The paper's merge, with few queries.
RECIPE = Recipe(decoding=Decoding(num_queries=3, num_beams=4, max_new_tokens=8))


def use_recipe(connection: Connection, name: str = "test", recipe: Recipe = RECIPE) -> None:
    """Store a recipe and make it the live one."""
    content_hash = recipe.content_hash
    row = recipes.store(
        connection,
        name=name,
        content_hash=content_hash,
        document=recipe.as_document(),
        actor="test",
        reason=None,
    )
    recipes.add_use(
        connection,
        action="use",
        recipe_no=row.recipe_no,
        name=name,
        content_hash=content_hash,
        actor="test",
        reason=None,
    )


def make_shop(servers: Servers, database: Database, alias: str, users: int = 40) -> Shop:
    """Fill ``database`` with 60 items and ``users`` users that each buy one style."""
    with database.engine.begin() as connection:
        fill(connection, users)
        use_recipe(connection)
    environ = {
        "DATABASE_URL": database.writer_url,
        "GPT4REC_OWNER_DATABASE_URL": database.owner_url,
        "ELASTICSEARCH_URL": servers.elasticsearch_url,
        "CELERY_BROKER_URL": servers.queue_url(),
        "GPT4REC_INDEX_ALIAS": alias,
        "GPT4REC_ACTOR": "test",
        "GPT4REC_K": "6",
        "GPT4REC_GENERATE_SHARD_SIZE": "8",
        "GPT4REC_SEARCH_SHARD_SIZE": "10",
        "GPT4REC_MERGE_SHARD_SIZE": "8",
    }
    return Shop(environ)


def fill(connection: Connection, users: int) -> None:
    """Insert items, users and purchases: user n buys n % 5 + 1 items; user 0 buys none."""
    connection.execute(
        text(
            "INSERT INTO items (item_id, title, title_raw, version) "
            "SELECT 'i' || lpad(n::text, 3, '0'), t, t, 1 "
            "FROM unnest(cast(:titles AS text[])) WITH ORDINALITY AS x(t, n)"
        ),
        {"titles": TITLES},
    )
    connection.execute(
        text(
            "INSERT INTO users (user_id) SELECT 'u' || lpad(n::text, 3, '0') "
            "FROM generate_series(0, :users - 1) AS n ORDER BY 1"
        ),
        {"users": users},
    )
    add_purchases(connection, version=1, first_user=1, users=users)
    connection.execute(text("UPDATE catalog_state SET catalog_version = 1, history_version = 1"))


def add_purchases(connection: Connection, version: int, first_user: int, users: int) -> None:
    """Add purchases of users from ``first_user`` on; other versions have other items."""
    rows = [
        (
            f"u{user:03d}",
            f"i{((user % 4) * 15 + (user * 7 + place * 4 + version) % 15) + 1:03d}",
            version * 100 + place,
        )
        for user in range(first_user, users)
        for place in range(user % 5 + 1)
    ]
    user_ids, item_ids, ordinals = map(list, zip(*rows, strict=True))
    connection.execute(
        text(
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT user_no, item_no, ordinal, ordinal, :version "
            "FROM unnest(CAST(:users AS text[]), CAST(:items AS text[]), CAST(:ordinals AS int[])) "
            "AS bought (user_id, item_id, ordinal) "
            "JOIN users USING (user_id) JOIN items USING (item_id) "
            "ORDER BY user_no, ordinal ON CONFLICT DO NOTHING"
        ),
        {"users": user_ids, "items": item_ids, "ordinals": ordinals, "version": version},
    )


def stored_rows(connection: Connection, run_no: int) -> list[tuple[object, ...]]:
    """Return the user rows of a run, with texts instead of numbers and without run numbers.

    Equal for equal runs, also of different databases.
    """
    found = connection.execute(
        text("""
        SELECT user_id, rank, i.item_id, source, q.text AS query, query_rank, hit_rank, score,
               f.item_id AS from_item_id, fused_score,
               NULL AS outcome, NULL::int AS n_queries, NULL::int AS n_found,
               NULL::int AS n_recommended, NULL AS short_reason
        FROM recommendations JOIN users USING (user_no) JOIN items AS i USING (item_no)
        LEFT JOIN queries AS q USING (query_no)
        LEFT JOIN items AS f ON f.item_no = from_item_no WHERE run_no = :run_no
        UNION ALL
        SELECT user_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               outcome, n_queries, n_found, n_recommended, short_reason
        FROM user_outcomes JOIN users USING (user_no) WHERE run_no = :run_no
        ORDER BY 1, 2
        """),
        {"run_no": run_no},
    )
    rows = [tuple(row) for row in found]
    assert rows
    return rows
