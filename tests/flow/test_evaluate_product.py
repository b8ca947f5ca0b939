"""Product lists of an evaluation equal those of a night with the split's training data."""

import datetime as dt
from math import exp
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.block_rules import add_rules
from gpt4rec_es.db.rows import runs
from gpt4rec_es.db.rows.lists import load_inputs
from gpt4rec_es.db.rows.rules import NewRule
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.evaluation.evaluate import EvaluationReport, evaluate
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.night_rules import NightRules
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, ShopRuntime, add_purchases

DAY = dt.date(2026, 11, 22)
K = 6


FUSIONS = [
    ("queries", "scores"),
    ("queries:0.3,co_purchase:0.7", "scores"),
    ("queries:0.4,co_purchase:0.3,history_titles:0.3", "scores"),
    ("queries:0.5,co_purchase:0.5", "ranks"),
]


@pytest.fixture
def with_times() -> bool:
    return False


@pytest.fixture
def split_shop(shop: Shop, database: Database, with_times: bool) -> Shop:
    """A shop with a split whose users share items; with times, purchases are in baskets."""
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=1, users=40)
        if with_times:
            connection.execute(
                text(
                    "UPDATE interactions SET event_no = ordinal / 2, "
                    "event_at = to_timestamp(ordinal / 2)"
                )
            )
        connection.execute(
            text("UPDATE items SET price = item_no, brand = split_part(title, ' ', 2)")
        )
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    runtime = shop.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    runtime.close()
    return shop


@pytest.mark.parametrize(("sources", "fusion"), FUSIONS)
def test_product_lists_are_those_of_the_night(
    split_shop: Shop, database: Database, sources: str, fusion: str
) -> None:
    runtime = split_shop.runtime(sources=sources, fusion=fusion, prompt_titles=2)
    report = measure(runtime, None)
    assert report.options["prompt"] == {"titles": 2, "newest_first": True}
    check_equals_night(runtime, database, report)
    with database.engine.connect() as connection:
        manifest = connection.execute(text("SELECT manifest FROM runs")).scalar_one()
    assert manifest["prompt"] == report.options["prompt"]
    assert "rules" not in report.options
    assert report.options["recipe"] == manifest["recipe"]


def test_so_are_lists_that_count_how_likely_a_query_is(
    split_shop: Shop, database: Database
) -> None:
    runtime = split_shop.runtime(sources=FUSIONS[1][0])
    assert isinstance(runtime, ShopRuntime)
    runtime.entries |= {
        "fusion.method": "learned",
        "fusion.coefficients": '{"query_likely": 1, "co_recent": 0.1}',
    }
    report = measure(runtime, None)
    check_equals_night(runtime, database, report)
    with database.engine.connect() as connection:
        (run,) = runs.newest(connection, 1)
        users = load_inputs(connection, run, range(1, 41))
    assert (exp(-1), exp(-2), exp(-3)) in {user.likelihoods for user in users}


@pytest.mark.parametrize("with_times", [True])
def test_so_are_lists_of_neighbours_by_baskets(split_shop: Shop, database: Database) -> None:
    runtime = split_shop.runtime(
        sources="queries:0,co_purchase",
        pair_backward=0.0,
        pair_decay=0.3,
        # Without queries and titles, some users have fewer than K neighbours.
        gate_limits="full=0 fallbacks=1",
    )
    report = measure(runtime, None)
    # Pairs in one basket have full weight; in separate baskets they would not.
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE split_train SET baskets = NULL"))
        connection.execute(text("UPDATE split_eval_users SET baskets = NULL"))
    apart = measure(runtime, None)
    with database.engine.connect() as connection:
        listed = [
            connection.execute(
                text("SELECT * FROM evaluation_lists WHERE evaluation_no = :no ORDER BY 2, 3, 4"),
                {"no": one.evaluation_no},
            ).all()
            for one in (report, apart)
        ]
    assert [row[1:] for row in listed[0]] != [row[1:] for row in listed[1]]
    check_equals_night(runtime, database, report)


@pytest.mark.parametrize(("sources", "required"), [("queries", "2<4"), (FUSIONS[2][0], "75%")])
def test_so_are_lists_of_queries_of_which_several_terms_must_match(
    split_shop: Shop, database: Database, sources: str, required: str
) -> None:
    runtime = split_shop.runtime(
        sources=sources, minimum_should_match=required, gate_limits="full=0 fallbacks=1 top_item=1"
    )
    report = measure(runtime, None)
    assert report.options["minimum_should_match"] == required
    check_equals_night(runtime, database, report)


@pytest.mark.parametrize(("sources", "fusion"), [FUSIONS[0], FUSIONS[2]])
def test_so_are_lists_that_keep_rules_and_filters(
    split_shop: Shop, database: Database, tmp_path: Path, sources: str, fusion: str
) -> None:
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("red clock\n")
    rules = [NewRule("brand", "Red", "not sold"), NewRule("item", "i060", "recalled")]
    add_rules(database.engine, rules, actor="test")
    runtime = split_shop.runtime(
        sources=sources,
        fusion=fusion,
        candidates=K,
        # One style of four is left; for most users it is not among the first hits.
        min_price=46,
        max_per_brand=4,
        forbidden_phrases_file=phrases,
        max_unknown_fraction=0.5,
        gate_limits="full=0 fallbacks=1 top_item=1",
    )
    options = runtime.night_options()
    night = NightRules(DAY, options.rules, options.phrases)
    plain, report = measure(runtime, None), measure(runtime, night)
    assert plain.metrics != report.metrics
    kept = report.options["rules"]
    assert (kept["max_per_brand"], len(kept["block_rules"])) == (4, 2)
    assert report.options["filters"]["n_phrases"] == 1
    check_equals_night(runtime, database, report)


@pytest.mark.parametrize(("sources", "fusion"), [FUSIONS[0], FUSIONS[1], FUSIONS[3]])
def test_so_are_lists_with_boosts_and_pins(
    split_shop: Shop, database: Database, sources: str, fusion: str
) -> None:
    rules = [
        NewRule("brand", "Red", "overstock", action="boost", places=4),
        NewRule("brand", "Blue", "a campaign", action="pin", places=3),
        NewRule(
            "item", "i002", "later", valid_from=DAY + dt.timedelta(days=1), action="pin", places=1
        ),
    ]
    add_rules(database.engine, rules, actor="test")
    runtime = split_shop.runtime(
        sources=sources, fusion=fusion, candidates=K, gate_limits="full=0 fallbacks=1"
    )
    night = NightRules(DAY, runtime.night_options().rules)
    plain, report = measure(runtime, None), measure(runtime, night)
    assert plain.metrics != report.metrics
    assert (report.options["rules"]["boosts"], report.options["rules"]["pins"]) == ([1], [2])
    # The number of pins depends on the length: lists of 2 are no prefixes of those of K.
    alone = measure(runtime, night, ks=(2,))
    with database.engine.connect() as connection:
        shorter = [
            connection.execute(
                text(
                    "SELECT user_no, item_nos FROM evaluation_lists "
                    "WHERE evaluation_no = :number AND k = 2 ORDER BY 1"
                ),
                {"number": one.evaluation_no},
            ).all()
            for one in (report, alone)
        ]
    assert shorter[0] == shorter[1]
    check_equals_night(runtime, database, report)
    with database.engine.connect() as connection:
        pinned = "SELECT count(DISTINCT source) FROM recommendations WHERE promoted_by IS NOT NULL"
        assert connection.execute(text(pinned)).scalar_one() > 1


def measure(
    runtime: Runtime, night: NightRules | None, ks: tuple[int, ...] = (2, K)
) -> EvaluationReport:
    (report,) = evaluate(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        "loo",
        EvaluateOptions(
            ("product",),
            ks=ks,
            recipes=(runtime.recipe,),
            night=night,
        ),
        open_generator=runtime.generator,
        actor="test",
    )
    return report


def check_equals_night(runtime: Runtime, database: Database, report: EvaluationReport) -> None:
    """Delete held-out purchases, run a night and compare its lists."""
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "DELETE FROM interactions AS i USING split_eval_users AS c WHERE c.part = 'test' "
                "AND i.user_no = c.user_no AND i.item_no = ANY(c.targets)"
            )
        )
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    with database.engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT l.item_nos, array_agg(r.item_no ORDER BY r.rank) AS night
            FROM evaluation_lists AS l JOIN recommendations AS r USING (user_no)
            WHERE l.evaluation_no = :number AND l.k = :k GROUP BY l.user_no, l.item_nos
            """),
            {"number": report.evaluation_no, "k": K},
        ).all()
        shorter = connection.execute(
            text("SELECT DISTINCT cardinality(item_nos) FROM evaluation_lists WHERE k = 2")
        ).scalars()
        assert list(shorter) == [2]
    assert len(found) == report.n_eval_users > 20
    assert [row.item_nos for row in found] == [row.night for row in found]
    runtime.close()
