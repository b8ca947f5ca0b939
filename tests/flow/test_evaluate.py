"""Evaluations on real servers: stored rows, equality with the night, refusals."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import text

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.evaluation import evaluate as evaluating
from gpt4rec_es.lab.evaluation.evaluate import EvaluationReport
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.stored import compare, list_evaluations, show_evaluation
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import drop_split, load_split
from gpt4rec_es.options.lists import QueryFilters
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import Progress
from gpt4rec_es.recipes.store import store_recipe
from gpt4rec_es.records import Bm25, Decoding
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.flow.conftest import use_generator, use_titles
from tests.merging import merged_lists
from tests.servers import Servers
from tests.shop import RECIPE, Shop, make_shop

DECODING = Decoding(num_queries=3, num_beams=4, max_new_tokens=8)
KS = (2, 5)


@pytest.fixture(scope="module")
def shop(servers: Servers, module_database: Database, module_alias: str) -> Shop:
    """A shop with a live index and a split, for tests that only add evaluations."""
    use_titles(module_database)
    made = make_shop(servers, module_database, module_alias)
    runtime = made.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    runtime.close()
    return made


@pytest.fixture
def runtime(shop: Shop) -> Iterator[Runtime]:
    runtime = shop.runtime()
    yield runtime
    runtime.close()


def measure(runtime: Runtime, *methods: str, **options: object) -> list[EvaluationReport]:
    recipes = (NamedRecipe("test", Recipe(DECODING)),)
    chosen = {"ks": KS, "recipes": recipes, **options}
    return evaluating.evaluate(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        "loo",
        EvaluateOptions(methods, **chosen),  # type: ignore[arg-type]
        open_generator=runtime.generator,
        actor="test",
    )


def stored_lists(runtime: Runtime, number: int, k: int) -> dict[int, list[int]]:
    with transaction(runtime.engine) as connection:
        rows = connection.execute(
            text(
                "SELECT user_no, item_nos FROM evaluation_lists "
                "WHERE evaluation_no = :number AND k = :k"
            ),
            {"number": number, "k": k},
        )
        return {row.user_no: row.item_nos for row in rows}


def test_lists_of_queries_are_those_that_elasticsearch_gives(
    runtime: Runtime, shop: Shop, elastic: Elasticsearch
) -> None:
    two, three = measure(runtime, "queries", num_queries=(2, 3))
    assert (two.num_queries, three.num_queries, two.generator) == (2, 3, "titles")
    _, split = load_split(runtime.engine, "loo")
    with transaction(runtime.engine) as connection:
        rows = connection.execute(text("SELECT item_no, title FROM items"))
        titles = {row.item_no: row.title for row in rows}
        index = connection.execute(text("SELECT index_name FROM builds")).scalar_one()
    retriever = runtime.retriever(index, "test")
    histories = [eval_user.history for eval_user in split.test]
    for report, m in ((two, 2), (three, 3)):
        # All titles differ enough to be separate queries.
        queries = [[titles[item] for item in reversed(known)][:m] for known in histories]
        for k in KS:
            expected = merged_lists(retriever, queries, histories, k)
            users = [eval_user.user_no for eval_user in split.test]
            assert stored_lists(runtime, report.evaluation_no, k) == dict(
                zip(users, expected, strict=True)
            )


def test_first_queries_are_counted_where_there_are_queries(
    runtime: Runtime, module_database: Database
) -> None:
    queries, product, popular = measure(runtime, "queries", "product", "popularity")
    _, split = load_split(runtime.engine, "loo")
    firsts = Counter(eval_user.history[-1] for eval_user in split.test)  # newest title first
    assert len(firsts) > 1
    expected = (len(firsts), pytest.approx(max(firsts.values()) / firsts.total()))
    numbers = [report.evaluation_no for report in (queries, product, popular)]
    for number, wanted in zip(numbers, (expected, expected, (None, None)), strict=True):
        shown = show_evaluation(runtime.engine, number)
        assert (shown["distinct_first_queries"], shown["top_first_query_fraction"]) == wanted
        with module_database.analyst_engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT evaluated_distinct_first_queries, evaluated_top_first_query_fraction "
                    "FROM analytics.evaluations WHERE evaluation_id = :number"
                ),
                {"number": number},
            ).one()
        assert tuple(row) == wanted
    assert (queries.distinct_first_queries, queries.top_first_query_fraction) == expected
    assert popular.distinct_first_queries is None


def test_metrics_are_stored_by_segment_and_seen_by_analysts(
    runtime: Runtime, module_database: Database
) -> None:
    (report,) = measure(runtime, "popularity")
    shown = show_evaluation(runtime.engine, report.evaluation_no)
    assert len(shown["metrics"]) == len(report.metrics)
    assert {row["segment"] for row in shown["metrics"]} >= {"all", "target in tail"}
    assert shown["options"] == report.options
    assert shown["options"]["category_labels"] == "path_without_root"
    with module_database.analyst_engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT method, metric_mean FROM analytics.evaluations "
                "JOIN analytics.evaluation_metrics USING (evaluation_id) "
                "WHERE evaluation_id = :number AND list_length = 2 "
                "AND user_segment = 'all' AND metric_name = 'recall'"
            ),
            {"number": report.evaluation_no},
        ).one()
    recall = next(
        m.mean for m in report.metrics if (m.k, m.segment, m.metric) == (2, "all", "recall")
    )
    assert tuple(found) == ("popularity", recall)
    listed = {row["evaluation_no"]: row for row in list_evaluations(runtime.engine, "loo")}
    assert listed[report.evaluation_no]["metrics"][2]["recall"] == recall
    assert json.dumps(shown, default=str)


def test_every_baseline_recommends_on_both_parts(runtime: Runtime) -> None:
    names = ("popularity", "last-3-titles", "history-bm25", "co_purchases", "hybrid")
    for part in ("validation", "test"):
        for report in measure(runtime, *names, part=part):
            lengths = [m for m in report.metrics if m.metric == "list_length" and m.k == 5]
            assert lengths[0].mean > 0
    plain, refit = measure(runtime, "popularity", learn_validation=False) + measure(
        runtime, "popularity"
    )
    assert plain.metrics != refit.metrics


def test_two_evaluations_are_compared_over_common_users(runtime: Runtime) -> None:
    (a,) = measure(runtime, "popularity")
    (b,) = measure(runtime, "history-bm25", sample=10)
    (c,) = measure(runtime, "hybrid", sample=10)
    found = compare(runtime.engine, a.evaluation_no, b.evaluation_no)
    assert found.users == b.n_eval_users == 10 < a.n_eval_users
    assert {one.k for one in found.differences} == set(KS)
    again = compare(runtime.engine, b.evaluation_no, a.evaluation_no)
    assert [one.gain for one in again.differences] == [-one.gain for one in found.differences]
    # A sample always takes the same users.
    assert compare(runtime.engine, b.evaluation_no, c.evaluation_no).users == 10
    (other,) = measure(runtime, "popularity", part="validation")
    with pytest.raises(UsageError, match="same part of one split"):
        compare(runtime.engine, a.evaluation_no, other.evaluation_no)
    (short,) = measure(runtime, "popularity", ks=(3,))
    with pytest.raises(UsageError, match="same --k"):
        compare(runtime.engine, a.evaluation_no, short.evaluation_no)
    with pytest.raises(UsageError, match="no evaluation 999"):
        compare(runtime.engine, a.evaluation_no, 999)


def test_evaluations_are_compared_over_the_users_of_a_segment(runtime: Runtime) -> None:
    (a,), (b,) = measure(runtime, "popularity"), measure(runtime, "co_purchases")
    whole = compare(runtime.engine, a.evaluation_no, b.evaluation_no)
    parts = [
        compare(runtime.engine, a.evaluation_no, b.evaluation_no, segment)
        for segment in ("target co-purchased", "target not co-purchased")
    ]
    assert sum(part.users for part in parts) == whole.users
    for one, *of_parts in zip(
        whole.differences, *(part.differences for part in parts), strict=True
    ):
        gains = [part.users * of.gain for part, of in zip(parts, of_parts, strict=True)]
        assert sum(gains) == pytest.approx(whole.users * one.gain)
    # Counts of purchases made together find none of the others.
    assert all(one.b == 0 for one in parts[1].differences)
    stored = {row.segment: row.users for row in a.metrics if row.segment.startswith("target")}
    assert [stored[part.segment] for part in parts] == [part.users for part in parts]
    # Whatever a method learned from, a segment has the same users, in both directions.
    (c,) = measure(runtime, "popularity", learn_validation=False)
    for pair in ((a, c), (c, a)):
        numbers = [one.evaluation_no for one in pair]
        assert compare(runtime.engine, *numbers, parts[0].segment).users == parts[0].users
    assert {row.users for row in c.metrics if row.segment == parts[0].segment} == {parts[0].users}
    with pytest.raises(UsageError, match="no segment 'tail'") as error:
        compare(runtime.engine, a.evaluation_no, b.evaluation_no, "tail")
    assert "target in tail" in error.value.hint


def test_other_k1_and_b_change_lists_and_are_noted(runtime: Runtime) -> None:
    (live,) = measure(runtime, "last-title", sample=20)
    (other,) = measure(runtime, "last-title", sample=20, bm25=Bm25(0.0, 0.0))
    assert (live.k1, live.b, other.k1, other.b) == (1.2, 0.75, 0.0, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("nonsense",)}, "no method 'nonsense'"),
        ({"methods": ()}, "There is no method"),
        ({"methods": ("popularity",), "ks": (61,)}, "only 60 items"),
        ({"methods": ("queries",), "generator": "nobody"}, "no generator 'nobody'"),
        ({"methods": ("queries",), "num_queries": (0,)}, "number of queries"),
    ],
)
def test_what_cannot_be_measured_stores_nothing(
    runtime: Runtime, options: dict[str, object], message: str
) -> None:
    before = len(list_evaluations(runtime.engine))
    with pytest.raises(UsageError, match=message):
        measure(runtime, *options.pop("methods"), **options)  # type: ignore[misc]
    assert len(list_evaluations(runtime.engine)) == before
    with pytest.raises(UsageError, match="no split 'other'"):
        list_evaluations(runtime.engine, "other")


def test_what_is_cut_off_while_it_measures_stores_nothing(runtime: Runtime) -> None:
    before = len(list_evaluations(runtime.engine))

    @contextmanager
    def bars(label: str, unit: str = "") -> Iterator[Progress]:
        def progress(done: int, total: int | None) -> None:
            if label.startswith("Measuring") and done == total:
                raise KeyboardInterrupt

        yield progress

    with pytest.raises(KeyboardInterrupt):
        evaluating.evaluate(
            runtime.engine,
            runtime.elastic,
            runtime.settings.index_alias,
            "loo",
            EvaluateOptions(("popularity",), ks=KS),
            open_generator=runtime.generator,
            actor="test",
            bars=bars,
        )
    assert len(list_evaluations(runtime.engine)) == before


def test_a_generator_that_may_have_seen_the_targets_must_be_trusted(
    runtime: Runtime, module_database: Database, trained_folder: Path
) -> None:
    use_generator(module_database, "gpt2", trained_folder)
    try:
        with pytest.raises(UsageError, match=r"may have seen what is held out.*--trust"):
            measure(runtime, "queries")
        (report,) = measure(runtime, "queries", trust=True, sample=5)
        assert (report.generator, report.num_queries) == ("gpt2", 3)
    finally:
        use_titles(module_database)


def test_a_split_with_evaluations_goes_only_by_force(
    runtime: Runtime, module_database: Database
) -> None:
    measure(runtime, "popularity", sample=5)
    with pytest.raises(ConflictError, match="--force"):
        drop_split(runtime.engine, "loo", actor="test")
    drop_split(runtime.engine, "loo", actor="test", force=True)
    assert list_evaluations(runtime.engine) == []
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")


def test_commands(
    runtime: Runtime,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from gpt4rec_es.cli.main import run  # noqa: PLC0415 - the shim under test

    shop.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)
    lists = ["--k", "2,5"]
    assert run(["evaluate", "loo", "--method", "baselines", *lists, "--part", "test"]) == 0
    assert "hybrid" in capsys.readouterr().out
    queries = ["--method", "queries", "--num-queries", "1,3", "--num-beams", "4"]
    required = ["--minimum-should-match", "3", "--json"]
    assert run(["evaluate", "loo", *queries, *lists, *required]) == 0
    assert json.loads(capsys.readouterr().out)[0]["options"]["minimum_should_match"] == "3"
    assert run(["evaluate", "loo", *queries, *lists, "--minimum-should-match", "3%%"]) == 2
    assert "minimum_should_match is '3%%'" in capsys.readouterr().err
    assert run(["evaluate", "loo", *queries, *lists]) == 0
    out = capsys.readouterr().out
    assert "m=1" in out
    assert out.count("first queries: ") == 1
    assert "@5" in out
    both = ["--sources", "queries", "--sources", "queries:0.5,co_purchase:0.5"]
    assert run(["evaluate", "loo", "--method", "product", *both, *lists]) == 0
    out = capsys.readouterr().out
    assert "product test queries:1 by scores" in out
    product = ["--method", "product", "--as-night", "--json", *lists]
    filters = QueryFilters(max_unknown_fraction=0.5)
    store_recipe(runtime.engine, "strict", Recipe(DECODING, filters=filters), actor="test")
    assert run(["evaluate", "loo", *product, "--recipe", "strict", "--recipe", "test"]) == 0
    report, other = json.loads(capsys.readouterr().out)
    assert report["options"]["filters"]["max_unknown_fraction"] == 0.5
    assert other["options"]["filters"]["max_unknown_fraction"] == 1
    assert [one["options"]["recipe"]["name"] for one in (report, other)] == ["strict", "test"]
    with transaction(runtime.engine) as connection:
        measured = connection.execute(
            text(
                "SELECT evaluated_recipe_name, evaluated_recipe_hash FROM analytics.evaluations "
                "ORDER BY evaluation_id DESC LIMIT 1"
            )
        ).one()
    assert tuple(measured) == ("test", RECIPE.content_hash)
    assert report["options"]["rules"]["block_rules"] == []
    assert "product test (changed) queries:0.5, co_purchase:0.5 by scores" in out
    assert run(["evaluate", "loo", "--method", "product", "--sources", "x", *lists]) == 2
    assert run(["evaluate", "loo", "--method", "popularity", *lists, "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["method"] == "popularity"
    assert run(["evaluate", "list", "--split", "loo"]) == 0
    capsys.readouterr()
    assert run(["evaluate", "show", str(report["evaluation_no"])]) == 0
    assert "By segment" in capsys.readouterr().out
    newest = report["evaluation_no"]
    assert run(["evaluate", "list", "--wide"]) == 0
    assert "top first query" in capsys.readouterr().out
    assert run(["evaluate", "show", str(newest - 1)]) == 0
    assert "first queries: " in capsys.readouterr().out
    assert run(["evaluate", "compare", str(newest - 1), str(newest)]) == 0
    assert "chance" in capsys.readouterr().out
    assert run(["evaluate", "nowhere", "--method", "popularity"]) == 2
    capsys.readouterr()
    assert run(["evaluate", "loo", "--method", "popularity", "--k", "0"]) == 2
    assert "numbers from 1 on. See `" in capsys.readouterr().err
    assert run(["evaluate", "loo", "--method", "popularity", "--k1", "1"]) == 2
