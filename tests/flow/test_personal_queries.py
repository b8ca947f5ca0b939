"""Queries of a trained network with the part of everybody subtracted: stored, and loaded again."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.generation.clean import score_query
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.queries import split_queries
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.status import run_status
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.records import Decoding, GeneratedQuery
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.flow.conftest import use_generator
from tests.servers import Servers
from tests.shop import Shop, make_shop

DAY = dt.date(2026, 11, 22)


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str, trained_folder: Path) -> Shop:
    """A filled shop whose nights use the trained network."""
    use_generator(database, "gpt2", trained_folder)
    return make_shop(servers, database, alias)


def night(runtime: Runtime, prior_weight: float, days: int = 0) -> str:
    options = runtime.night_options()
    decoding = replace(options.recipe.recipe.decoding, prior_weight=prior_weight)
    recipe = options.recipe.changed(decoding=decoding)
    date = DAY + dt.timedelta(days=days)
    # The tiny network, trained on another shop, need not find enough.
    chosen = replace(options, recipe=recipe, gate_limits=GateLimits(full=0, fallbacks=1))
    report = run_night(runtime.night_parts(), chosen, date)
    assert report.state == "published"
    return report.run_id


def seen(database: Database, run_id: str) -> dict[str, list[Any]]:
    """Return what an analyst sees of a run's queries, best first, by user."""
    with database.analyst_engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT user_id, query, beam_score * query_tokens AS logprob, query_tokens, prior_logprob
            FROM analytics.generated_queries WHERE run_id = :run_id ORDER BY user_id, query_rank
            """),
            {"run_id": run_id},
        )
        users: dict[str, list[Any]] = {}
        for row in found:
            users.setdefault(row.user_id, []).append(row)
    return users


def are_in_order(queries: Sequence[GeneratedQuery], decoding: Decoding) -> bool:
    scores = [score_query(query, decoding) for query in queries]
    return all(one >= other - 1e-3 for one, other in pairwise(scores))


def test_a_night_stores_priors_and_ranks_by_them(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    plain = seen(database, night(runtime, 0))
    personal = seen(database, night(runtime, 0.25, days=1))
    assert len(plain) == len(personal) == 39
    assert all(row.prior_logprob is None for rows in plain.values() for row in rows)
    decoding = replace(runtime.recipe.recipe.decoding, prior_weight=0.25)
    for rows in personal.values():
        assert all(row.prior_logprob < 0 for row in rows)
        queries = [GeneratedQuery(row.query, *row[2:]) for row in rows]
        assert are_in_order(queries, decoding)
    first = {user: rows[0].query for user, rows in plain.items()}
    assert first != {user: rows[0].query for user, rows in personal.items()}
    with database.analyst_engine.connect() as connection:
        weights = connection.execute(
            text("SELECT prior_weight FROM analytics.runs ORDER BY run_id")
        ).scalars()
        assert list(weights) == [0, 0.25]
    options = runtime.night_options()
    recipe = options.recipe.changed(decoding=decoding)
    again = replace(options, recipe=recipe, gate_limits=GateLimits(full=0))
    report = run_night(runtime.night_parts(), again, DAY + dt.timedelta(days=2))
    assert report.tokens == 0, "the night before stored them under the same key"


def test_how_much_first_queries_differ(
    shop: Shop,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
) -> None:
    runtime = shop.runtime()
    run_id = night(runtime, 0.25)
    firsts = Counter(rows[0].query for rows in seen(database, run_id).values())
    fraction = max(firsts.values()) / firsts.total()
    assert len(firsts) > 1
    with runtime.engine.connect() as connection:
        status = run_status(connection, run_rows.find(connection, run_id))
    assert status.distinct_first_queries == len(firsts)
    assert status.top_first_query_fraction == pytest.approx(fraction)
    with database.analyst_engine.connect() as connection:
        viewed = connection.execute(
            text("SELECT distinct_first_queries, top_first_query_fraction FROM analytics.runs")
        ).one()
    assert tuple(viewed) == (len(firsts), pytest.approx(fraction))
    shop.enter(monkeypatch)
    line = f"first queries: {len(firsts)} distinct; the most frequent one is that of {fraction:.1%}"
    assert line in cli("runs", "show", run_id)


def test_evaluations_share_the_queries_of_nights(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    row, split = load_split(runtime.engine, "loo")
    with runtime.engine.connect() as connection:
        stored = connection.execute(text("SELECT * FROM generators WHERE is_current")).one()
    generator = runtime.generator(stored)
    decoding = replace(runtime.recipe.recipe.decoding, prior_weight=0.25)
    made = split_queries(runtime.engine, generator, decoding, row, split.test)
    loaded = split_queries(runtime.engine, generator, decoding, row, split.test)
    assert made == loaded
    queries = [user.queries for user in made]
    assert all(query.prior_logprob is not None for own in queries for query in own)
    assert all(are_in_order(own, decoding) for own in queries)
