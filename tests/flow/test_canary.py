"""The first users of a run are served and judged before all others."""

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import status
from gpt4rec_es.db.rows.canary import SEED
from gpt4rec_es.errors import ConflictError, GateError, UsageError
from gpt4rec_es.exporter.parts import newest_run
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.lab.replay.diff import diff_runs
from gpt4rec_es.night import drain as draining
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inspect.status import run_status
from gpt4rec_es.night.publish import publish as publishing
from gpt4rec_es.night.publish.gates import PART_GATES
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.records import Decoding, GeneratedQuery, Generation, Prompt
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, add_purchases, make_shop, stored_rows

DAY = dt.date(2026, 11, 22)
# The shop's lists are short, and its users are few.
LIMITS = "full=0 fallbacks=1 top_item=1 top_first_query=1 held_out_share=0.5"
CANARY = f"{LIMITS} canary_users=12"


class Counting:
    """The titles generator, or one of letters that are in no title; it counts its prompts."""

    def __init__(self, *, is_nonsense: bool = False) -> None:
        self._titles = TitlesGenerator()
        self._is_nonsense = is_nonsense
        self.content_hash, self.prompt_form = self._titles.content_hash, self._titles.prompt_form
        self.prompts: list[str] = []

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        return self._titles.write_prompt(titles)

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        self.prompts += prompts
        if self._is_nonsense:
            return [Generation((GeneratedQuery("xq zv", -1.0, 4),), 4) for _ in prompts]
        return self._titles.generate(prompts, decoding)


# Texts of the canary that are titles alone for it are queries of later users, searched otherwise.
OTHER_SEARCH = {"sources": "queries,history_titles", "minimum_should_match": 2, "num_queries": 1}


def night(
    shop: Shop, generator: Counting, limits: str = CANARY, **changes: object
) -> tuple[NightParts, NightOptions]:
    runtime = shop.runtime(gate_limits=limits, **changes)
    parts = replace(runtime.night_parts(), open_generator=lambda *_: generator)
    return parts, runtime.night_options()


def newest(database: Database) -> Any:
    with database.engine.connect() as connection:
        return run_rows.newest(connection, 1)[0]


def scalar(database: Database, statement: str, **values: object) -> Any:
    with database.engine.connect() as connection:
        return connection.execute(text(statement), values).scalar_one()


def canary_of(database: Database, users: int) -> list[int]:
    """Return the users that should be the canary of run 1, by their definition."""
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT user_no FROM run_users WHERE run_no = 1 AND n_bought > 0 "
                 "ORDER BY hashint8extended(user_no, :seed) LIMIT :users"),
            {"seed": SEED, "users": users},
        )  # fmt: skip
        return sorted(found.scalars())


@contextmanager
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bool, int]]]:
    """Record, at each check, whether it is of a canary, and the number of users with outcomes."""
    seen: list[tuple[bool, int]] = []
    check = publishing.check

    def recording(parts: NightParts, connection: Any, run: run_rows.Run) -> Any:
        users = connection.execute(text("SELECT count(*) FROM user_outcomes WHERE run_no = :n"),
                                   {"n": run.run_no}).scalar_one()  # fmt: skip
        seen.append((run.is_canary, users))
        return check(parts, connection, run)

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "check", recording)
        yield seen


@pytest.mark.parametrize("changes", [{}, OTHER_SEARCH], ids=["plain", "titles searched otherwise"])
def test_a_clean_night_has_the_same_lists_with_and_without_a_canary(
    servers: Servers,
    database: Database,
    second_database: Database,
    alias: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
) -> None:
    rows, prompts = [], []
    for one, limits, name in (
        (database, CANARY, "a"),
        (second_database, f"{LIMITS} canary_share=0", "b"),
    ):
        use_titles(one)
        shop = make_shop(servers, one, f"{alias}-{name}")
        generator = Counting()
        with checks(monkeypatch) as seen:
            run_night(*night(shop, generator, limits, **changes), DAY)
        assert seen == ([(True, 12), (False, 40)] if name == "a" else [(False, 40)])
        prompts.append(sorted(generator.prompts))
        with one.engine.connect() as connection:
            rows.append(stored_rows(connection, 1))
    assert rows[0] == rows[1]
    assert prompts[0] == prompts[1]
    assert len({*prompts[0]}) == len(prompts[0])
    run = newest(database)
    assert (run.canary_users, run.is_canary, run.state) == (12, False, "published")
    merged = scalar(
        database,
        "SELECT array_agg(m ORDER BY m) FROM shards, unnest(members) AS m "
        "WHERE stage = 'merge' AND finished_at < (SELECT canary_passed_at FROM runs)",
    )
    assert merged == canary_of(database, 12)
    assert merged != list(range(1, 13))


def test_a_bad_generator_costs_one_percent(
    servers: Servers, database: Database, alias: str
) -> None:
    use_titles(database)
    shop = make_shop(servers, database, alias, users=1000)
    with database.engine.begin() as connection:  # so that hardly two have the same prompt
        connection.execute(
            text(
                "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
                "SELECT user_no, 1 + abs(hashint4(10 * user_no + n)) % 60, 50 + n, 50 + n, 1 "
                "FROM users, generate_series(1, 9) AS n ON CONFLICT DO NOTHING"
            )
        )
    generator = Counting(is_nonsense=True)
    parts, options = night(shop, generator, "full=0 top_item=1 canary_users=5")
    with pytest.raises(GateError, match="by its canary of 10 users: few fallbacks"):
        run_night(parts, options, DAY)
    assert 0 < len(generator.prompts) <= 10
    assert scalar(database, "SELECT count(*) FROM prompts") > 950
    assert scalar(database, "SELECT count(*) FROM user_outcomes") == 10
    assert scalar(database, "SELECT count(*) FROM publications") == 0
    run = newest(database)
    assert run.state == "rejected"
    assert run.error.startswith("by its canary of 10 users: ")
    with database.engine.connect() as connection:
        shown = run_status(connection, run)
        assert newest_run(connection)
    assert {gate["gate"] for gate in shown.gates} == {gate.name for gate in PART_GATES}
    assert (shown.canary_users, shown.canary_passed_at, shown.users_done) == (10, None, 10)
    # Its few lists are nothing to compare or to publish.
    with pytest.raises(UsageError, match="not complete"):
        diff_runs(parts.engine, run.run_id, run.run_id)
    with pytest.raises(GateError, match="few fallbacks"):
        publishing.publish(parts, run.run_id, force=False, reason=None)


def test_an_operator_lets_the_rest_of_the_night_run_and_gates_judge_it(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Counting(is_nonsense=True)
    parts, options = night(shop, generator, "full=0 top_item=1 canary_users=12")
    with pytest.raises(GateError, match="by its canary"):
        run_night(parts, options, DAY)
    before = dict(work(database))
    wait_a_day(database)
    run = publishing.publish(parts, "nightly-2026-11-22-1", force=True, reason="try it")
    assert (run.state, run.is_canary, run.finished_at) == ("generating", False, None)
    assert scalar(database, "SELECT count(*) FROM publications") == 0
    assert dict(work(database)).items() >= before.items()
    with pytest.raises(GateError, match="rejected: few fallbacks"):
        run_night(parts, options, DAY)
    assert len({*generator.prompts}) == len(generator.prompts)
    assert scalar(database, "SELECT count(*) FROM user_outcomes") == 40
    assert dict(work(database))["merge", "members"] == 40
    wait_a_day(database)
    run = publishing.publish(parts, run.run_id, force=True, reason="it is good")
    assert run.state == "published"
    # The days that the run waited for the operator are no work.
    seconds = scalar(database, "SELECT duration_s FROM analytics.runs")
    assert 0 < seconds < 3600
    with parts.engine.connect() as connection:
        published = status.publication(connection)
    assert published is not None
    assert published.made_hours_ago > 24 > published.published_hours_ago
    actions = scalar(database, "SELECT string_agg(action, ' ' ORDER BY at) FROM audit")
    assert actions.split()[-4:] == ["reject", "force_publish", "reject", "force_publish"]


def wait_a_day(database: Database) -> None:
    """Let all times of run 1 be a day ago."""
    times = ("planned_at", "finished_at", "canary_passed_at")
    earlier = ", ".join(f"{name} = {name} - interval '1 day'" for name in times)
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE runs SET {earlier}"))


def work(database: Database) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield the counts of run 1 as the exporter sums them, by stage and name."""
    with database.engine.connect() as connection:
        for count in run_rows.run_counts.totals(connection):
            yield (count.stage, count.name), count.n


def test_a_rejected_canary_does_not_go_on_beside_another_night_or_on_other_code(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, options = night(shop, Counting(is_nonsense=True), "full=0 top_item=1 canary_users=12")
    with pytest.raises(GateError, match="by its canary"):
        run_night(parts, options, DAY)
    first = "nightly-2026-11-22-1"

    def resume() -> None:
        publishing.publish(parts, first, force=True, reason="try")

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "code_version", lambda: "other")
        with pytest.raises(ConflictError, match="planned by code"):
            resume()
    start_night(parts, options, DAY)
    with pytest.raises(ConflictError, match="nightly-2026-11-22-2 is unfinished"):
        resume()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET state = 'cancelled' WHERE run_no = 2"))
        connection.execute(text("UPDATE builds SET state = 'deleted'"))
    with pytest.raises(ConflictError, match="index of nightly-2026-11-22-1 is deleted"):
        resume()
    assert scalar(database, "SELECT state FROM runs WHERE run_no = 1") == "rejected"


class Killed(BaseException):
    """The process is gone."""


def test_a_process_killed_while_it_ends_the_canary_changes_nothing(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Counting()
    parts, options = night(shop, generator)
    begin_rest = publishing.begin_rest

    def killed(connection: Any, run: run_rows.Run) -> None:
        begin_rest(connection, run)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "begin_rest", killed)
        with pytest.raises(Killed):
            run_night(parts, options, DAY)
    run = newest(database)
    assert (run.state, run.is_canary) == ("checking", True)
    assert scalar(database, "SELECT count(*) FROM shards WHERE state <> 'done'") == 0
    assert run_night(parts, options, DAY).state == "published"
    assert scalar(database, "SELECT count(*) FROM user_outcomes") == 40
    assert len({*generator.prompts}) == len(generator.prompts)


def test_two_workers_serve_each_user_once(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, options = night(shop, Counting())
    run_no = start_night(parts, options, DAY).run.run_no
    monkeypatch.setattr(draining, "_POLL_SECONDS", 0.05)
    with checks(monkeypatch) as seen, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(drain, parts, options, run_no, f"worker {n}") for n in (1, 2)]
        assert {one.result().run.state for one in both} == {"published"}
    assert seen == [(True, 12), (False, 40)]
    members = (
        "SELECT count(*) - count(DISTINCT (stage, m)) FROM shards, unnest(members) AS m "
        "WHERE state = 'done'"
    )
    assert scalar(database, members) == 0
    assert scalar(database, "SELECT count(*) FROM user_outcomes") == 40


def test_an_outdated_worker_does_not_end_a_canary_twice(shop: Shop, database: Database) -> None:
    parts, options = night(shop, Counting())
    start_night(parts, options, DAY)
    before = newest(database)
    run_night(parts, options, DAY)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET state = 'checking'"))
    publishing.check_and_publish(parts, before)
    assert newest(database).state == "checking"


@pytest.mark.parametrize(
    ("limits", "users"),
    [
        ("canary_users=38", 38),  # 39 of 40 users bought something
        ("canary_users=39", None),
        ("canary_users=3 canary_share=0.5", 20),
        ("canary_share=0 canary_users=3", None),
    ],
)
def test_small_cohorts_have_no_canary(
    shop: Shop, database: Database, limits: str, users: int | None
) -> None:
    parts, options = night(shop, Counting(), f"{LIMITS} {limits}")
    start_night(parts, options, DAY)
    assert newest(database).canary_users == users


def test_a_night_that_generates_nothing_has_no_canary(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Counting()
    parts, options = night(shop, generator)
    run_night(parts, options, DAY)
    n_before = len(generator.prompts)
    with checks(monkeypatch) as seen:
        run_night(parts, options, DAY + dt.timedelta(days=1))
    assert seen == [(False, 40)]
    with database.engine.begin() as connection:
        add_purchases(connection, 2, 1, 40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    with checks(monkeypatch) as seen:
        run_night(parts, options, DAY + dt.timedelta(days=2))
    assert seen == [(True, 12), (False, 40)]
    assert len(generator.prompts) > n_before
    # Another recipe makes other lists of the same queries.
    with checks(monkeypatch) as seen:
        run_night(*night(shop, generator, **OTHER_SEARCH), DAY + dt.timedelta(days=3))
    assert seen == [(True, 12), (False, 40)]


def test_a_night_without_a_generator_has_a_canary(
    servers: Servers, database: Database, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(servers, database, alias)
    runtime = shop.runtime(gate_limits=CANARY, sources="co_purchase:1,history_titles:1")
    with checks(monkeypatch) as seen:
        run_night(runtime.night_parts(), runtime.night_options(), DAY)
    assert seen == [(True, 12), (False, 40)]


def test_held_back_users_are_in_no_canary_and_get_their_arm(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = shop.runtime(gate_limits=CANARY, holdback="key:none=0.25,popularity=0.25")
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    first = (
        "SELECT count(*) FROM shards, unnest(members) AS m JOIN holdback_users ON user_no = m "
        "WHERE stage = 'merge' AND finished_at < (SELECT canary_passed_at FROM runs)"
    )
    assert newest(database).canary_users == 12
    assert scalar(database, first) == 0
    held = "SELECT count(*) FROM holdback_users"
    outcomes = "SELECT count(*) FROM user_outcomes WHERE outcome = 'held_back'"
    assert scalar(database, held) == scalar(database, outcomes) > 0


def test_what_a_canary_gave_up_is_not_tried_again(shop: Shop, database: Database) -> None:
    generator = Counting()
    parts, options = night(shop, generator, f"{CANARY} failed=0.5")
    options = replace(options, max_failures=1)
    start_night(parts, options, DAY)
    poison = scalar(
        database,
        "SELECT text FROM prompts WHERE prompt_no = (SELECT members[1] FROM shards LIMIT 1)",
    )
    tries: list[int] = []
    titles = generator.generate

    def poisoned(prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        if poison in prompts:
            tries.append(len(prompts))
            raise MemoryError
        return titles(prompts, decoding)

    generator.generate = poisoned  # type: ignore[method-assign]
    run_night(parts, options, DAY)
    assert newest(database).state == "published"
    # A shard of 8, halved until the prompt is alone.
    assert tries == [8, 4, 2, 1]
    assert scalar(database, "SELECT count(*) FROM user_outcomes WHERE outcome = 'failed'") > 0
