"""The exported values equal those of the tables, after successful and failed nights."""

import datetime as dt
import itertools

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import shards
from gpt4rec_es.errors import GateError
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish.gates import GATES
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.publish.withdraw import rollback
from gpt4rec_es.night.stages.leases import give_back
from gpt4rec_es.night.start import start_night
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.exporter.conftest import Page, scrape
from tests.rows import add_run
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)
COUNTERS = (
    ("gpt4rec_users_total", "outcome"),
    ("gpt4rec_stage_members_total", "stage"),
    ("gpt4rec_searches_total", "stage"),
    ("gpt4rec_lease_takeovers_total", "stage"),
    ("gpt4rec_errors_total", "error"),
)


def night(runtime: Runtime, day: int = 0) -> None:
    date = DAY + dt.timedelta(days=day)
    run_night(runtime.night_parts(), runtime.night_options(), date)


def numbers(database: Database, sql: str) -> list[float]:
    with database.engine.connect() as connection:
        return [float(value) for value in connection.execute(text(sql)).one()]


def counters(shown: Page) -> dict[tuple[str, str], float]:
    return {
        (name, key): value
        for name, label in COUNTERS
        for key, value in shown.by(name, label).items()
    }


def test_before_the_first_night_there_is_a_page(shop: Shop) -> None:
    shown = scrape(shop.runtime())
    assert shown("gpt4rec_up") == 1
    assert shown("gpt4rec_users_total", outcome="ok") == 0
    assert shown("gpt4rec_tokens_generated_total") == 0
    assert "gpt4rec_published_timestamp_seconds" not in shown.names


def test_after_a_night_the_page_equals_the_tables(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    night(runtime)
    shown = scrape(runtime)
    assert shown("gpt4rec_up") == 1
    assert shown.by("gpt4rec_users_total", "outcome") == {"ok": 39, "no_history": 1}
    searched, queries, prompts = numbers(
        database,
        "SELECT (SELECT count(*) FROM searches), (SELECT count(*) FROM generated_queries), "
        "(SELECT count(*) FROM generations)",
    )
    assert sum(shown.by("gpt4rec_searches_total", "stage").values()) == searched
    assert shown("gpt4rec_queries_generated_total") == queries
    assert shown("gpt4rec_stage_members_total", stage="generate") == prompts
    assert shown("gpt4rec_newest_run_stage_members_done", stage="merge") == 40
    by_stage = {
        stage: shown("gpt4rec_newest_run_shards", stage=stage, state="done")
        for stage in ("generate", "search", "merge")
    }
    assert list(by_stage.values()) == numbers(
        database,
        "SELECT count(*) FILTER (WHERE stage = 'generate'), "
        "count(*) FILTER (WHERE stage = 'search'), count(*) FILTER (WHERE stage = 'merge') "
        "FROM shards",
    )
    assert shown.by("gpt4rec_newest_run_state", "state") == {"published": 1}
    assert shown.by("gpt4rec_runs", "state") == {"published": 1}
    assert len(shown.by("gpt4rec_gate_passed", "gate")) == len(GATES)
    published, duration, documents = numbers(
        database,
        "SELECT (SELECT extract(epoch FROM published_at) FROM publications), "
        "(SELECT extract(epoch FROM finished_at - planned_at) FROM runs), "
        "(SELECT document_count FROM builds)",
    )
    assert shown("gpt4rec_published_timestamp_seconds") == pytest.approx(published)
    assert shown("gpt4rec_published_run_duration_seconds") == pytest.approx(duration, abs=1e-3)
    assert shown("gpt4rec_newest_run_duration_seconds") == pytest.approx(duration, abs=1e-3)
    assert shown("gpt4rec_live_build_documents") == documents
    assert shown("gpt4rec_live_build_catalog_lag_imports") == 0
    assert shown("gpt4rec_published_run_info", run_id="nightly-2026-11-22-1") == 1


def test_counters_only_grow_through_prune_and_rollback(shop: Shop) -> None:
    runtime = shop.runtime()
    seen = [counters(scrape(runtime))]
    for day in range(3):
        night(runtime, day)
        seen.append(counters(scrape(runtime)))
    rollback(runtime.night_parts(), reason="test")
    seen.append(counters(scrape(runtime)))
    prune(runtime.night_parts(), keep_published=0, keep_rejected=0)
    seen.append(counters(scrape(runtime)))
    for before, after in itertools.pairwise(seen):
        assert all(after[key] >= value for key, value in before.items())
    assert seen[-1]["gpt4rec_users_total", "ok"] == 3 * 39
    # Only the first night had queries to search.
    assert (
        seen[1]["gpt4rec_searches_total", "search"] == seen[-1]["gpt4rec_searches_total", "search"]
    )
    assert scrape(runtime)("gpt4rec_published_run_number") == 2


def test_a_run_under_way_shows_work_leases_errors_and_takeovers(
    shop: Shop, database: Database
) -> None:
    runtime = shop.runtime()
    parts, options = runtime.night_parts(), runtime.night_options()
    run = start_night(parts, options, DAY).run
    drain(parts, options, run.run_no, "test", ["generate"])
    made = scrape(runtime)("gpt4rec_queries_generated_total")
    with database.engine.begin() as connection:
        gone = shards.claim(connection, run.run_no, "search", "gone", 60)
        held = shards.claim(connection, run.run_no, "search", "held", 60)
        assert gone is not None
        assert held is not None
        connection.execute(
            text(
                "UPDATE shards SET lease_until = clock_timestamp() - interval '1 s' "
                "WHERE owner = 'gone'"
            )
        )
    shown = scrape(runtime)
    assert made > 0
    assert shown.by("gpt4rec_newest_run_state", "state") == {"searching": 1}
    assert shown("gpt4rec_newest_run_finished") == 0
    assert shown("gpt4rec_newest_run_shards", stage="search", state="expired") == 1
    assert shown("gpt4rec_newest_run_shards", stage="search", state="leased") == 1
    assert shown("gpt4rec_busy_workers") == 1
    give_back(database.engine, held, ValueError("wrong"))
    drain(parts, options, run.run_no, "test")
    shown = scrape(runtime)
    assert shown("gpt4rec_errors_total", stage="search", error="ValueError") == 1
    assert shown("gpt4rec_lease_takeovers_total", stage="search") == 1
    assert shown("gpt4rec_queries_generated_total") == made
    assert shown("gpt4rec_newest_run_finished") == 1


def test_a_refused_night_shows_which_gate(shop: Shop) -> None:
    night(shop.runtime())
    with pytest.raises(GateError):
        night(shop.runtime(k=60, gate_limits="full=1"), 1)
    shown = scrape(shop.runtime())
    assert shown("gpt4rec_gate_passed", gate="lists_are_full") == 0
    assert shown("gpt4rec_gate_passed", gate="few_users_failed") == 1
    assert shown.by("gpt4rec_newest_run_state", "state") == {"rejected": 1}
    assert shown("gpt4rec_published_run_info", run_id="nightly-2026-11-22-1") == 1


def test_an_import_of_items_makes_the_live_build_lag(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    night(runtime)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE catalog_state SET catalog_version = 3"))
        connection.execute(
            text(
                "INSERT INTO imports (kind, files, state, actor, finished_at, records, rejected) "
                "VALUES ('items', '{x}', 'done', 'test', to_timestamp(1700000000), 200, 3)"
            )
        )
    shown = scrape(runtime)
    assert shown("gpt4rec_live_build_catalog_lag_imports") == 2
    assert shown("gpt4rec_last_import_timestamp_seconds", kind="items") == 1_700_000_000
    assert shown("gpt4rec_last_import_rejected_records", kind="items") == 3


def test_names_follow_the_conventions(shop: Shop) -> None:
    night(shop.runtime())
    for name, family in scrape(shop.runtime()).families.items():
        assert name.startswith("gpt4rec_")
        assert family.documentation.endswith(".")
        assert not name.endswith(("_ms", "_minutes", "_hours", "_count"))
        is_counter = family.type == "counter"
        assert all(s.name.endswith("_total") == is_counter for s in family.samples)
        # Bounded: nothing per user, query, item, shard or worker.
        assert len(family.samples) <= 40
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels <= {
            "part",
            "code",
            "run_id",
            "state",
            "stage",
            "days",
            "list",
            "outcome",
            "gate",
            "measure",
            "kind",
            "error",
        }


def test_quality_is_that_of_the_newest_complete_measurement(database: Database, shop: Shop) -> None:
    runtime = shop.runtime()
    page = scrape(runtime)
    assert page("gpt4rec_quality_declined") == 0
    assert "gpt4rec_quality_hit_rate" not in page.names
    with database.engine.begin() as connection:
        for n in range(1, 16):
            add_run(connection, n, "published", f"2026-11-{n:02d}")
        connection.execute(
            text("""
            INSERT INTO quality_days (run_no, age_days, measured_on, history_version, is_complete,
                                      n_users, n_bought)
            SELECT n, 1, '2026-11-30', 1, n < 15, 100, 200 FROM generate_series(1, 15) AS n;
            INSERT INTO quality_methods (run_no, age_days, measured_on, method, n_users,
                                         n_hit_users, n_hits, recall)
            SELECT run_no, 1, measured_on, method, 100,
                CASE method WHEN 'published' THEN 40 - run_no ELSE 5 END, 1, 0.125
            FROM quality_days, unnest(ARRAY['published', 'popularity']) AS m(method)
            """)
        )
    page = scrape(runtime)
    assert page("gpt4rec_quality_users", days="1") == 100
    assert page("gpt4rec_quality_hit_rate", days="1", list="published") == 0.26
    assert page("gpt4rec_quality_recall", days="1", list="popularity") == 0.125
    assert page("gpt4rec_quality_worse_nights") == 7
    assert page("gpt4rec_quality_declined") == 1
