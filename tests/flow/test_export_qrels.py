"""Exports of held-out items and evaluated lists in the formats of other tools, by commands."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytrec_eval
from elasticsearch import Elasticsearch
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.evaluation.evaluate import evaluate
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.stored import show_evaluation
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.recipes.live import undo_use
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe


@pytest.fixture(scope="module")
def shop(servers: Servers, module_database: Database, module_alias: str) -> Shop:
    use_titles(module_database)
    made = make_shop(servers, module_database, module_alias)
    runtime = made.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    evaluate(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        "loo",
        EvaluateOptions(("last-title",), ks=(3, 10)),
        open_generator=runtime.generator,
        actor="test",
    )
    runtime.close()
    return made


@pytest.fixture
def runtime(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runtime]:
    shop.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)
    runtime = shop.runtime()
    yield runtime
    runtime.close()


def export(path: Path, *arguments: str) -> str:
    assert run(["export", *arguments, "--output", str(path)]) == 0
    return path.read_text()


def held_out(runtime: Runtime) -> dict[str, set[str]]:
    _, split = load_split(runtime.engine, "loo")
    with transaction(runtime.engine) as connection:
        users, items = (
            {
                row[0]: row[1]
                for row in connection.execute(text(f"SELECT {one}_no, {one}_id FROM {one}s"))
            }
            for one in ("user", "item")
        )
    return {
        users[eval_user.user_no]: {items[item] for item in eval_user.targets}
        for eval_user in split.test
    }


def test_trec_files_give_the_stored_metrics(runtime: Runtime, tmp_path: Path) -> None:
    qrels = pytrec_eval.parse_qrel(export(tmp_path / "q", "qrels", "loo").splitlines())
    assert {user: set(items) for user, items in qrels.items()} == held_out(runtime)
    lines = export(tmp_path / "r", "evaluation", "1").splitlines()
    ranked = pytrec_eval.parse_run(lines)
    found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(ranked)
    stored = next(
        row["mean"]
        for row in show_evaluation(runtime.engine, 1)["metrics"]
        if (row["k"], row["segment"], row["metric"]) == (10, "all", "ndcg")
    )
    mean = sum(values["ndcg_cut_10"] for values in found.values()) / len(qrels)
    assert mean == pytest.approx(stored)
    shorter = export(tmp_path / "s", "evaluation", "1", "--k", "3").splitlines()
    assert {line.split()[3] for line in shorter} == {"1", "2", "3"}
    assert shorter[0].split()[5] == "last-title-1"


def test_rank_eval_requests_find_what_was_evaluated(
    runtime: Runtime, elastic: Elasticsearch, tmp_path: Path
) -> None:
    (line,) = export(
        tmp_path / "b", "qrels", "loo", "--format", "rank-eval", "--k", "3"
    ).splitlines()
    body = json.loads(line)
    assert body["metric"] == {"recall": {"k": 3, "relevant_rating_threshold": 1}}
    index = body["requests"][0]["ratings"][0]["_index"]
    wanted = held_out(runtime)
    assert {
        request["id"]: {rating["_id"] for rating in request["ratings"]}
        for request in body["requests"]
    } == wanted
    # The test server has no _rank_eval; its requests are sent as searches.
    recall = 0.0
    for request in body["requests"]:
        hits = elastic.search(
            index=index, size=3, sort=[{"_score": "desc"}, {"item_id": "asc"}], **request["request"]
        )["hits"]["hits"]
        assert {hit["_index"] for hit in hits} <= {index}
        found = wanted[request["id"]] & {hit["_id"] for hit in hits}
        recall += len(found) / len(wanted[request["id"]])
    stored = next(
        row["mean"]
        for row in show_evaluation(runtime.engine, 1)["metrics"]
        if (row["k"], row["segment"], row["metric"]) == (3, "all", "recall")
    )
    assert recall / len(wanted) == pytest.approx(stored)


def test_rank_eval_searches_for_generated_queries_as_nights_do(
    runtime: Runtime, tmp_path: Path
) -> None:
    assert runtime.recipe.recipe.search.minimum_should_match is None
    with runtime.engine.begin() as connection:
        use_recipe(connection, "strict", Recipe(search=SearchOptions("75%")))
    found = []
    for name, more in (("t", ()), ("q", ("--generator", "titles", "--num-queries", "1"))):
        path = tmp_path / name
        (line,) = export(path, "qrels", "loo", "--format", "rank-eval", *more).splitlines()
        clause = json.loads(line)["requests"][0]["request"]["query"]["bool"]["must"][0]
        found.append(clause["match"]["title"].get("minimum_should_match"))
    assert found == [None, "75%"]
    undo_use(runtime.engine, actor="test", reason=None)


def test_quepid_and_rre_search_for_texts(runtime: Runtime, tmp_path: Path) -> None:
    wanted = held_out(runtime)
    rows = list(
        csv.DictReader(export(tmp_path / "c", "qrels", "loo", "--format", "quepid").splitlines())
    )
    assert len({(row["query"], row["docid"]) for row in rows}) == len(rows)
    assert {row["docid"] for row in rows} == set().union(*wanted.values())
    assert {row["rating"] for row in rows} == {"1"}

    with_queries = ("--generator", "titles", "--num-queries", "2")
    ratings = json.loads(export(tmp_path / "j", "qrels", "loo", "--format", "rre", *with_queries))
    groups = {group["name"]: group for group in ratings["query_groups"]}
    assert {user: set(group["relevant_documents"]) for user, group in groups.items()} == wanted
    assert {len(group["queries"]) for group in groups.values()} == {2}
    assert all(
        query["placeholders"]["$query"] for group in groups.values() for query in group["queries"]
    )


def test_what_cannot_be_exported_writes_no_file(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "none"
    for arguments in (
        ["qrels", "nowhere"],
        ["qrels", "loo", "--format", "rre", "--generator", "nobody"],
        ["evaluation", "999"],
        ["evaluation", "1", "--k", "4"],
    ):
        assert run(["export", *arguments, "--output", str(path)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_files_are_registered_for_erasing_and_may_hold_pseudonyms(
    runtime: Runtime, module_database: Database, tmp_path: Path
) -> None:
    set_pseudonym = text("UPDATE users SET shown_id = :shown WHERE user_id = 'u004'")
    with module_database.owner_engine.begin() as connection:
        connection.execute(text("ALTER TABLE users DISABLE TRIGGER USER"))
        connection.execute(set_pseudonym, {"shown": "p-4"})
    try:
        for arguments in (["qrels", "loo"], ["evaluation", "1"]):
            name = arguments[0]
            assert "u004 " in export(tmp_path / name, *arguments)
            hidden = export(tmp_path / f"{name}-p", *arguments, "--pseudonyms")
            assert "p-4 " in hidden
            assert "u004" not in hidden
        with transaction(runtime.engine) as connection:
            known = connection.execute(text("SELECT path FROM exports")).scalars().all()
        assert {str(path) for path in tmp_path.iterdir()} <= set(known)
    finally:
        with module_database.owner_engine.begin() as connection:
            connection.execute(set_pseudonym, {"shown": "u004"})
            connection.execute(text("ALTER TABLE users ENABLE TRIGGER USER"))


def test_ids_with_spaces_are_no_trec_words(
    runtime: Runtime, module_database: Database, tmp_path: Path
) -> None:
    rename = text("UPDATE users SET user_id = :new WHERE user_id = :old")
    with module_database.engine.begin() as connection:
        connection.execute(rename, {"old": "u004", "new": "u 4"})
    try:
        assert run(["export", "qrels", "loo", "--output", str(tmp_path / "q")]) == 2
        export(tmp_path / "j", "qrels", "loo", "--format", "rre")
    finally:
        with module_database.engine.begin() as connection:
            connection.execute(rename, {"old": "u 4", "new": "u004"})
