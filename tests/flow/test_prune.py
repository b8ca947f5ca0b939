"""Concurrent pruning: pins are kept, readers are waited for, no needed row is deleted."""

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.generations import store_generations
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.publish import publish, withdraw
from gpt4rec_es.night.publish.collect import collect
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.prompts.keys import hash128, normalise_query
from gpt4rec_es.records import GeneratedQuery, Generation
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases

DAY = dt.date(2026, 11, 22)
RUNS = [f"nightly-2026-11-{day}-1" for day in (22, 23, 24, 25)]
DANGLING = text("""
SELECT count(*) FROM run_users AS u
WHERE u.prompt_no IS NOT NULL
      AND NOT EXISTS (SELECT FROM prompts AS p WHERE p.prompt_no = u.prompt_no)
   OR u.last_query_no IS NOT NULL
      AND NOT EXISTS (SELECT FROM queries AS q WHERE q.query_no = u.last_query_no)
""")


def buy(database: Database, version: int) -> None:
    """Add purchases of the last ten users."""
    with database.engine.begin() as connection:
        add_purchases(connection, version, first_user=30, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = :v"), {"v": version})


@pytest.fixture
def runtime(shop: Shop, database: Database) -> Iterator[Runtime]:
    """Four nights; before each but the first, the last ten users buy something."""
    runtime = shop.runtime()
    for night in range(4):
        if night:
            buy(database, night + 1)
        run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=night))
    yield runtime
    runtime.close()


def numbers(database: Database, query: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def test_pinned_runs_keep_their_lists_and_texts(runtime: Runtime, database: Database) -> None:
    parts = runtime.night_parts()
    withdraw.set_pinned(parts, RUNS[0], is_pinned=True, reason="for the report")
    before = explain_user(database.engine, "u034", RUNS[0]).as_dict()
    assert prune(parts, owner=database.owner_engine, keep_published=1).runs == [RUNS[1]]
    assert explain_user(database.engine, "u034", RUNS[0]).as_dict() == before
    with pytest.raises(UsageError, match="were pruned"):
        withdraw.set_pinned(parts, RUNS[1], is_pinned=True, reason=None)
    with pytest.raises(UsageError, match="were pruned"):
        publish.publish(parts, RUNS[1], force=True, reason="x")
    withdraw.set_pinned(parts, RUNS[0], is_pinned=False, reason=None)
    assert prune(parts, keep_published=1).runs == [RUNS[0]]
    acts = "SELECT string_agg(action, ' ' ORDER BY audit_no) FROM audit WHERE object = '{}'"
    with database.engine.connect() as connection:
        found = connection.execute(text(acts.format(RUNS[0]))).scalar_one()
    assert found == "plan publish pin unpin prune"


def test_two_ended_runs_that_were_not_published_are_kept(
    runtime: Runtime, database: Database
) -> None:
    parts = runtime.night_parts()
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE runs SET state = 'rejected' WHERE run_id = ANY(:runs)"),
            {"runs": RUNS[:3]},
        )
        connection.execute(text("UPDATE publications SET previous_run_no = NULL"))
    assert prune(parts, dry_run=True).runs == [RUNS[0]]
    assert prune(parts, keep_rejected=0, dry_run=True).runs == RUNS[:3]


def test_a_prune_that_was_cut_off_is_completed(runtime: Runtime, database: Database) -> None:
    parts = runtime.night_parts()
    with database.analyst_engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM analytics.user_outcomes"))
        with pytest.raises(ConflictError, match="Readers held the lists of"):
            prune(parts, owner=database.owner_engine, keep_published=1, max_wait_s=0.1)
        # New readers continue meanwhile, and a partly deleted run is no longer shown.
        with database.analyst_engine.connect() as another:
            another.execute(text("SELECT count(*) FROM analytics.recommendations"))
    with pytest.raises(UsageError, match="were pruned"):
        publish.publish(parts, RUNS[0], force=True, reason="x")
    report = prune(parts, owner=database.owner_engine, keep_published=1)
    assert report.runs == RUNS[:2]
    left = "SELECT count(*) FROM pg_class WHERE relname ~ '^(run_users|user_outcomes)_[0-9]+$'"
    assert numbers(database, left) == 4


class PausedGenerator:
    """A generator whose first prompt waits, to pause a plan."""

    def __init__(self, real: object, reached: threading.Event, go_on: threading.Event) -> None:
        self._real, self._reached, self._go_on = real, reached, go_on

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def write_prompt(self, titles: list[str]) -> object:
        self._reached.set()
        assert self._go_on.wait(60)
        return self._real.write_prompt(titles)  # type: ignore[attr-defined]


def paused_parts(runtime: Runtime, reached: threading.Event, go_on: threading.Event) -> NightParts:
    return replace(
        runtime.night_parts(),
        open_generator=lambda *row: PausedGenerator(runtime.generator(*row), reached, go_on),  # type: ignore[arg-type,return-value]
    )


def test_a_night_that_is_planned_meanwhile_keeps_what_it_needs(
    runtime: Runtime, database: Database
) -> None:
    parts = runtime.night_parts()
    with database.engine.begin() as connection:
        # All histories are those of the first night again, whose prompts only it needs.
        connection.execute(text("DELETE FROM interactions WHERE version > 1"))
        connection.execute(text("UPDATE catalog_state SET history_version = 9"))
    old = numbers(database, "SELECT count(*) FROM prompts")
    reached, go_on = threading.Event(), threading.Event()
    paused = paused_parts(runtime, reached, go_on)
    with ThreadPoolExecutor(2) as pool:
        night = pool.submit(run_night, paused, runtime.night_options(), DAY + dt.timedelta(days=9))
        assert reached.wait(60)
        looked_at: list[int] = []
        pruned = pool.submit(
            prune,
            parts,
            keep_published=1,
            max_wait_s=60,
            progress=lambda done, total: looked_at.append(done),
        )
        with pytest.raises(ConflictError, match="held the lock"):
            collect(database.engine, max_wait_s=0)
        assert numbers(database, "SELECT count(*) FROM prompts") == old
        go_on.set()
        report, pruned_report = night.result(60), pruned.result(60)
    assert report.state == "published"
    assert pruned_report.runs == RUNS[:2]
    # All of the first night's prompts were used again: none had to be generated again.
    assert (report.tokens, report.prompts) == (0, 0)
    with database.engine.connect() as connection:
        assert connection.execute(DANGLING).scalar_one() == 0
    assert explain_user(database.engine, "u034", report.run_id).as_dict()["equals_merge_now"]


def test_queries_that_are_being_stored_are_not_collected(
    runtime: Runtime, database: Database
) -> None:
    engine = database.engine
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO queries (query_hash, text) VALUES (:hash, 'left over')"),
            {"hash": hash128("left over")},
        )
        prompt_no = connection.execute(
            text("SELECT min(prompt_no) FROM run_users WHERE prompt_no IS NOT NULL")
        ).scalar_one()
        decoding_no = connection.execute(
            text("SELECT min(decoding_no) FROM decodings")
        ).scalar_one()
    generation = Generation((GeneratedQuery("left over", -1.0, 2),))
    with engine.begin() as worker:
        store_generations(
            worker,
            "new",
            decoding_no,
            [(prompt_no, generation)],
            {"left over": hash128("left over")},
        )
        with pytest.raises(ConflictError):
            collect(engine, max_wait_s=0)
    collect(engine, batch=7)
    assert numbers(database, "SELECT count(*) FROM queries WHERE text = 'left over'") == 1
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM generations WHERE content_hash = 'new'"))
    seen: list[tuple[int, int | None]] = []
    counts = collect(engine, batch=7, progress=lambda *state: seen.append(state))
    assert (counts.queries, counts.prompts) == (1, 0)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_searches_of_live_builds_go_with_their_queries(
    runtime: Runtime, database: Database
) -> None:
    engine = database.engine
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO queries (query_hash, text) VALUES ('x', 'old')"))
        connection.execute(
            text(
                "INSERT INTO searches (build_no, query_no, depth, item_nos, scores, is_exhausted, "
                "is_empty_query) SELECT build_no, query_no, 50, '{}', '{}', true, false "
                "FROM builds, queries WHERE text = 'old' LIMIT 1"
            )
        )
    counts = collect(engine)
    assert (counts.searches, counts.queries) == (1, 1)


def test_a_text_that_is_stored_during_planning_does_not_end_the_night(
    runtime: Runtime, database: Database
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET title = 'novel ' || title, version = version + 1")
        )
        connection.execute(text("UPDATE catalog_state SET catalog_version = 9"))
        title = connection.execute(
            text("SELECT title FROM items JOIN interactions USING (item_no) LIMIT 1")
        ).scalar_one()
    reached, go_on = threading.Event(), threading.Event()
    paused = paused_parts(runtime, reached, go_on)
    with ThreadPoolExecutor(1) as pool:
        night = pool.submit(run_night, paused, runtime.night_options(), DAY + dt.timedelta(days=9))
        assert reached.wait(60)
        with database.engine.begin() as connection:
            for query in {normalise_query(title), *_titles(connection)}:
                connection.execute(
                    text(
                        "INSERT INTO queries (query_hash, text) VALUES (:hash, :text) "
                        "ON CONFLICT DO NOTHING"
                    ),
                    {"hash": hash128(query), "text": query},
                )
        go_on.set()
        assert night.result(60).state == "published"


def _titles(connection: Connection) -> list[str]:
    found = connection.execute(text("SELECT title FROM items WHERE title IS NOT NULL"))
    return [normalise_query(title) for title in found.scalars()]


def test_a_run_that_a_plan_counts_as_shown_is_not_pruned_meanwhile(
    shop: Shop, runtime: Runtime, database: Database
) -> None:
    runtime = shop.runtime(not_shown_days=30, gate_limits="full=0 fallbacks=1")
    parts = runtime.night_parts()
    reached, go_on = threading.Event(), threading.Event()
    paused = paused_parts(runtime, reached, go_on)
    with ThreadPoolExecutor(2) as pool:
        night = pool.submit(run_night, paused, runtime.night_options(), DAY + dt.timedelta(days=9))
        assert reached.wait(60)
        pruned = pool.submit(prune, parts, keep_published=0, keep_rejected=0, max_wait_s=60)
        with pytest.raises(TimeoutError):
            pruned.result(1)
        go_on.set()
        report = night.result(60)
        pruned.result(60)
    with database.engine.connect() as connection:
        shown = connection.execute(
            text("SELECT manifest #> '{rules,shown_runs}' FROM runs WHERE run_id = :id"),
            {"id": report.run_id},
        ).scalar_one()
        kept = connection.execute(
            text("SELECT run_no FROM runs WHERE run_no = ANY(:shown) AND pruned_at IS NULL"),
            {"shown": shown},
        )
        assert sorted(kept.scalars()) == shown != []
