"""Product lists of an evaluation are those of a night that knows what the split lets know."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.runs.inprocess import run_night
from gpt4rec_es.services.create_split import create_split
from gpt4rec_es.services.current_index import ensure_current
from gpt4rec_es.services.evaluate import evaluate
from gpt4rec_es.services.evaluation_lists import EvaluateOptions
from gpt4rec_es.splits.protocols import SplitOptions
from tests.databases import Database
from tests.shop import Shop, add_purchases

K = 6


@pytest.mark.parametrize(
    ("sources", "fusion"),
    [
        ("queries", "scores"),
        ("queries:0.3,co_purchase:0.7", "scores"),
        ("queries:0.4,co_purchase:0.3,titles:0.3", "scores"),
        ("queries:0.5,co_purchase:0.5", "ranks"),
    ],
)
def test_product_lists_are_those_of_the_night(
    shop: Shop, database: Database, sources: str, fusion: str
) -> None:
    with database.engine.begin() as connection:
        # More purchases, so that users have something in common.
        add_purchases(connection, version=2, first_user=1, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    runtime = shop.runtime(sources=sources, fusion=fusion)
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    (report,) = evaluate(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        "loo",
        EvaluateOptions(
            ("product",),
            ks=(2, K),
            num_queries=(3,),
            decoding=runtime.decoding,
            fusions=(runtime.fusion,),
        ),
        open_generator=runtime.generator,
        actor="test",
    )
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "DELETE FROM interactions AS i USING split_cases AS c WHERE c.part = 'test' "
                "AND i.user_no = c.user_no AND i.item_no = ANY(c.targets)"
            )
        )
    run_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
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
    assert len(found) == report.n_cases > 20
    assert [row.item_nos for row in found] == [row.night for row in found]
    runtime.close()
