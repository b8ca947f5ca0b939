import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.runs import find
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.evaluation.evaluate import EvaluationReport, evaluate
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.diff import diff_runs
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.night.inprocess import NightReport, run_night
from gpt4rec_es.night.inspect.status import run_status
from gpt4rec_es.options.lists import Fusion, QueryFilters
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.recipes.live import live_recipe, undo_use, use_recipe, warn_of_generator
from gpt4rec_es.recipes.shipped import SHIPPED, shipped
from gpt4rec_es.recipes.store import list_recipes, read_recipe, show_recipe, store_recipe
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.servers import Servers
from tests.shop import RECIPE, Shop, make_shop
from tests.vector_maker import register

DAY = dt.date(2026, 11, 22)


def live(database: Database) -> str:
    with database.engine.connect() as connection:
        return live_recipe(connection).name


def test_the_shipped_default_is_live_until_a_recipe_is_used(database: Database) -> None:
    assert live(database) == "default"
    with pytest.raises(UsageError, match="no use of a recipe to undo"):
        undo_use(database.engine, actor="ops", reason=None)
    with pytest.raises(UsageError, match="'default' is live already"):
        use_recipe(database.engine, "default", actor="ops", reason="why")


def test_each_undo_goes_one_use_back(database: Database) -> None:
    store_recipe(database.engine, "mine", Recipe(prompt_titles=3), actor="ops")
    for name in ("paper", "mine"):
        use_recipe(database.engine, name, actor="ops", reason="a try")
    use_recipe(database.engine, "default", actor="ops", reason="no", dry_run=True)
    assert live(database) == "mine"
    undone = undo_use(database.engine, actor="ops", reason="worse")
    assert (undone.before, undone.after.name) == ("mine", "paper")
    use_recipe(database.engine, "default", actor="ops", reason="a third")
    undo_use(database.engine, actor="ops", reason=None)
    assert live(database) == "paper"
    assert undo_use(database.engine, actor="ops", reason=None).after.name == "default"
    with pytest.raises(UsageError, match="to undo"):
        undo_use(database.engine, actor="ops", reason=None)
    with database.engine.connect() as connection:
        uses = connection.execute(
            text(
                "SELECT use_action, recipe_name, is_shipped, is_newest_use "
                "FROM analytics.recipe_uses ORDER BY use_id"
            )
        ).all()
        audit = connection.execute(
            text("SELECT action, object, reason FROM audit ORDER BY audit_no")
        ).all()
    assert [tuple(row)[:3] for row in uses][:3] == [
        ("use", "paper", True),
        ("use", "mine", False),
        ("undo", "paper", True),
    ]
    assert [row.is_newest_use for row in uses] == [False] * (len(uses) - 1) + [True]
    assert [tuple(row) for row in audit][:3] == [
        ("recipe_store", "mine", None),
        ("recipe_use", "paper", "a try"),
        ("recipe_use", "mine", "a try"),
    ]


def test_a_re_ranker_whose_files_are_gone_is_named_when_a_recipe_becomes_live(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fusion = Fusion(
        (("history_titles", 1.0),), method="learned", coefficients=(("rerank", 1.0),), history=2
    )
    store_recipe(database.engine, "mine", Recipe(fusion=fusion, reranker="titles"), actor="ops")

    def use_and_undo() -> list[str]:
        """Return the warnings of use, of the use of another one, and of its undo."""
        caplog.clear()
        said = []
        use_recipe(database.engine, "mine", actor="ops", reason="a try")
        said.append(caplog.text)
        use_recipe(database.engine, "default", actor="ops", reason="a try")
        caplog.clear()
        undo_use(database.engine, actor="ops", reason=None)
        said.append(caplog.text)
        undo_use(database.engine, actor="ops", reason=None)
        return said

    with pytest.raises(UsageError, match="no re-ranker 'titles'"):
        use_and_undo()
    for gone, folders in (
        ("The folder of re-ranker titles is gone: /there", {}),
        ("re-ranker titles is gone: /none", {"path": str(tmp_path), "gpt2": "/none"}),
    ):
        with database.engine.begin() as connection:
            register(connection, **folders)
        for said in use_and_undo():
            assert "the next night here will be refused. The " in said
            assert gone in said
    with database.engine.begin() as connection:
        register(connection, path=str(tmp_path), gpt2=str(tmp_path))
    assert use_and_undo() == ["", ""]


def test_a_recipe_that_the_generator_cannot_follow_is_warned_of(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    decoding = replace(Recipe().decoding, mode="titles", length_penalty=0.0)
    chosen = replace(Recipe(), decoding=decoding)
    store_recipe(database.engine, "chosen", chosen, actor="ops")
    for kind, warned in (("titles", True), ("gpt2", False)):
        with database.engine.begin() as connection:
            path = "/there" if kind == "gpt2" else None
            generators.register(
                connection, name=kind, kind=kind, path=path, content_hash=kind, card={}
            )
            row = generators.use(connection, kind, actor="ops")
        caplog.clear()
        use_recipe(database.engine, "chosen", actor="ops", reason="a try")
        assert (f"which generator {kind} of kind {kind} cannot do" in caplog.text) == warned
        caplog.clear()
        warn_of_generator(database.engine, row)
        assert (f"which generator {kind} of kind {kind} cannot do" in caplog.text) == warned
        use_recipe(database.engine, "default", actor="ops", reason="a try")


def test_a_stored_recipe_never_changes(database: Database) -> None:
    assert store_recipe(database.engine, "mine", Recipe(), actor="ops", reason="first")
    assert not store_recipe(database.engine, "mine", Recipe(), actor="other")
    with pytest.raises(UsageError, match="recipes never change"):
        store_recipe(database.engine, "mine", Recipe(prompt_titles=2), actor="ops")
    for name in ("paper", "default"):
        with pytest.raises(UsageError, match="name of a shipped recipe"):
            store_recipe(database.engine, name, Recipe(), actor="ops")
    with pytest.raises(UsageError, match="cannot be the name"):
        store_recipe(database.engine, "two words", Recipe(), actor="ops")
    store_recipe(database.engine, "never", Recipe(), actor="ops", dry_run=True)
    assert [one.name for one in list_recipes(database.engine)] == [*SHIPPED, "mine"]


def test_names_of_trials_are_kept_for_promotions(
    database: Database, cli: Cli, tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.enter(monkeypatch)
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(Recipe().as_document()))
    for name in ("trial-2", "Trial-02"):
        for more in ((), ("--dry-run",)):
            line = cli.error("recipes", "import", str(file), "--name", name, *more, code=2)
            assert "kept for the recipe that `gpt4rec tune promote`" in line
    with pytest.raises(UsageError, match="is kept for"):
        store_recipe(database.engine, "trial-2", Recipe(), actor="ops", trial_no=3)
    assert [one.name for one in list_recipes(database.engine)] == [*SHIPPED, "test"]
    cli("recipes", "import", str(file), "--name", "trial-of-winter")


def test_a_recipe_of_newer_code_is_refused_when_it_is_read(database: Database) -> None:
    store_recipe(database.engine, "mine", Recipe(), actor="ops")
    use_recipe(database.engine, "mine", actor="ops", reason="a try")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE recipes SET document = document || '{\"format\": 2}'"))
    with pytest.raises(UsageError, match=r"The recipe 'mine' has format 2.*Upgrade"):
        live(database)
    assert [one.name for one in list_recipes(database.engine)] == [*SHIPPED, "mine"]
    assert show_recipe(database.engine).document["format"] == 2
    assert use_recipe(database.engine, "paper", actor="ops", reason="back").before == "mine"
    assert live(database) == "paper"


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    with pytest.raises(UsageError, match=r"mine\.json cannot be read: No such file or directory\."):
        read_recipe(file)
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="in UTF-8"):
        read_recipe(file)
    file.write_text(" " * 1_000_001)
    with pytest.raises(UsageError, match="longer than 1,000,000 bytes"):
        read_recipe(file)
    with pytest.raises(UsageError, match="no regular file"):
        read_recipe(tmp_path)
    file.write_text("{}")
    with pytest.raises(UsageError, match=r"mine\.json has no format"):
        read_recipe(file)


def test_the_commands(
    shop: Shop, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    shop.enter(monkeypatch)
    file = tmp_path / "mine.json"
    cli("recipes", "export", "paper", "--output", str(file))
    assert read_recipe(file) == shipped("paper").recipe
    document = json.loads(file.read_text())
    document["prompt_titles"] = 5
    file.write_text(json.dumps(document))
    assert cli.json("recipes", "import", str(file), "--name", "mine")["is_new"]
    assert "is stored already" in cli("recipes", "import", str(file), "--name", "mine")
    imported = cli("recipes", "import", str(file), "--name", "other", "--reason", "a copy")
    assert imported.startswith("other is stored (")
    assert "why: a copy" in cli("recipes", "show", "other")
    assert cli("recipes", "diff", "mine", "other") == "mine and other are equal.\n"
    assert json.loads(cli("recipes", "export", "mine")) == document
    differing = cli.json("recipes", "diff", "paper", "mine")["differences"]
    assert differing == {"prompt_titles": [None, 5]}
    used = cli.json("recipes", "use", "mine", "--reason", "a try")
    assert used["after"]["name"] == "mine"
    shown = cli.json("recipes", "show")
    assert (shown["name"], shown["is_live"], shown["document"]) == ("mine", True, document)
    assert cli.json("recipes", "undo", "--dry-run")["dry_run"]
    assert live(database) == "mine"
    planned = cli("night", "--recipe", "default", "--dry-run")
    assert "Recipe default: queries:" in planned
    night(shop.runtime())
    replayed = cli.json("replay", "latest", "--recipe", "mine", "--dry-run")
    assert (replayed["changed"], replayed["is_equal"]) == ({}, True)
    decoding = replace(read_recipe(file).decoding, length_penalty=0.5)
    store_recipe(database.engine, "half", replace(read_recipe(file), decoding=decoding), actor="x")
    printed = cli("replay", "latest", "--recipe", "half", "--sources", "queries:2", "--dry-run")
    assert "not applied, since they need other queries: decoding.length_penalty\n" in printed
    for command in (["list"], ["show", "default"], ["diff", "paper"], ["undo"]):
        lines = cli("recipes", *command).splitlines()
        assert max(map(len, lines)) <= 80, lines
    assert "There are: default, paper, " in cli.error("recipes", "show", "none", code=2)


def night(runtime: Runtime, recipe: str | None = None, days: int = 0) -> NightReport:
    options = runtime.night_options(runtime.recipe_called(recipe))
    return run_night(runtime.night_parts(), options, DAY + dt.timedelta(days=days))


def test_a_run_freezes_its_recipe(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    night(runtime)
    mine = replace(RECIPE, fusion=Fusion((("queries", 1.0), ("co_purchase", 1.0))))
    store_recipe(database.engine, "mine", mine, actor="ops")
    night(runtime, "mine", days=1)
    with database.engine.connect() as connection:
        runs = connection.execute(
            text("SELECT recipe_name, recipe_hash FROM analytics.runs ORDER BY logical_date")
        ).all()
        manifest = find(connection, "latest").manifest
        status = run_status(connection, find(connection, "latest"))
    assert [tuple(run) for run in runs] == [
        ("test", RECIPE.content_hash),
        ("mine", mine.content_hash),
    ]
    assert manifest["recipe"] == {"name": "mine", "hash": mine.content_hash}
    assert manifest["fusion"] == mine.fusion.as_dict()
    assert (status.recipe, status.weights) == ("mine", {"queries": 1, "co_purchase": 1})
    assert live(database) == "test", "an option of one night makes nothing live"


@pytest.fixture
def bare_shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A shop without any generator."""
    return make_shop(servers, database, alias)


def test_the_default_works_without_a_generator(
    bare_shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    use_recipe(database.engine, "default", actor="ops", reason="as installed")
    runtime = bare_shop.runtime()
    report = night(runtime)
    assert (report.state, report.prompts, report.tokens) == ("published", 0, 0)
    with database.engine.connect() as connection:
        outcomes = dict(
            connection.execute(text("SELECT outcome, count(*) FROM user_outcomes GROUP BY 1")).all()
        )
        sources = set(connection.execute(text("SELECT source FROM recommendations")).scalars())
        titled = connection.execute(
            text("SELECT count(*) FROM run_users WHERE last_query_no IS NOT NULL")
        ).scalar_one()
        run = connection.execute(
            text("SELECT generator_name, num_queries, dtype FROM analytics.runs")
        ).one()
    assert outcomes == {"ok": 39, "no_history": 1}
    assert {"co_purchase", "history_titles"} <= sources
    assert "queries" not in sources
    assert titled == 39
    assert tuple(run) == (None, None, None)
    bare_shop.enter(monkeypatch)
    shown = cli("runs", "show")
    assert "no query generator" in shown
    assert "recipe default: " in shown
    assert "recipe: default is live" in cli("doctor", code=1)
    assert cli.json("why", "u001")["recommendations"]
    assert replay(runtime.night_parts(), report.run_id, ReplayChanges()).is_equal
    shown = cli("why", "u001")
    assert "co_purchase" in shown
    assert "no prompt was made" in shown
    assert "the run has no query generator" in shown
    # The purchases that the other sources start from, oldest first.
    history = cli.json("why", "u001")["history"]
    with database.engine.connect() as connection:
        bought = connection.execute(
            text(
                "SELECT item_id FROM interactions JOIN items USING (item_no) JOIN users "
                "USING (user_no) WHERE user_id = 'u001' ORDER BY event_no"
            )
        ).scalars()
        assert [row["item_id"] for row in history] == list(bought)
    assert history[-1]["title"] in shown
    with pytest.raises(UsageError, match="has no generated queries"):
        replay(runtime.night_parts(), report.run_id, ReplayChanges(recipe=shipped("paper")))


def test_the_default_works_with_few_users_of_one_purchase(
    servers: Servers, database: Database, alias: str
) -> None:
    shop = make_shop(servers, database, alias, users=3)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions WHERE ordinal > 100"))
    report = night(shop.runtime(), "default")
    assert (report.state, report.users, report.recommendations) == ("published", 3, 14)


def test_queries_alone_need_a_generator(bare_shop: Shop) -> None:
    runtime = bare_shop.runtime()
    with pytest.raises(UsageError, match="recipe paper has no other source"):
        night(runtime, "paper")


def test_a_recipe_without_queries_writes_none(shop: Shop, database: Database) -> None:
    runtime = shop.runtime(sources="co_purchase,history_titles", gate_limits="full=0")
    report = night(runtime)
    assert (report.state, report.tokens) == ("published", 0)
    with database.engine.connect() as connection:
        assert find(connection, "latest").manifest["generator"] is None
        assert not connection.execute(text("SELECT count(*) FROM generations")).scalar_one()
    # A night with queries, merged by the same recipe, has the same lists.
    other = night(
        shop.runtime(sources="queries,co_purchase,history_titles", gate_limits="full=0"), days=1
    )
    found = replay(runtime.night_parts(), other.run_id, ReplayChanges(recipe=runtime.recipe))
    assert found.not_applied == []
    diff = diff_runs(database.engine, report.run_id, other.run_id)
    assert found.lists.mean_jaccard == diff.mean_jaccard
    # So do its own recipe with weight 0, and a recipe whose sources an option replaces.
    weights = (("queries", 0.0), ("co_purchase", 1.0), ("history_titles", 1.0))
    zero = ReplayChanges(fusion={"weights": weights})
    assert replay(runtime.night_parts(), other.run_id, zero).lists == found.lists
    both = ReplayChanges(recipe=NamedRecipe("test", RECIPE), fusion={"weights": weights})
    assert replay(runtime.night_parts(), other.run_id, both).lists == found.lists
    back = {"weights": (("queries", 1.0), *weights[1:])}
    again = replay(
        runtime.night_parts(), other.run_id, ReplayChanges(recipe=runtime.recipe, fusion=back)
    )
    assert again.lists.equal_lists == again.users


def test_a_night_is_replayed_by_another_recipe(shop: Shop, database: Database) -> None:
    runtime = shop.runtime(sources="queries:0.4,co_purchase:0.4,history_titles:0.2")
    first = night(runtime)
    plain = night(shop.runtime(refuse_repetition=False), days=1)
    found = replay(runtime.night_parts(), first.run_id, ReplayChanges(recipe=shipped("paper")))
    assert found.changed["recipe.name"] == ["test-changed", "paper"]
    assert "fusion" in found.changed
    assert found.changed["filters"][1] is None
    assert found.not_applied == [
        "decoding.num_beams",
        "decoding.max_new_tokens",
        "decoding.query_dedup_jaccard",
        "decoding.num_queries",
    ]
    without = NamedRecipe("plain", replace(RECIPE, filters=QueryFilters(refuse_repetition=False)))
    found = replay(runtime.night_parts(), first.run_id, ReplayChanges(recipe=without))
    assert found.not_applied == []
    diff = diff_runs(database.engine, first.run_id, plain.run_id)
    assert found.lists.mean_jaccard == diff.mean_jaccard
    strict = NamedRecipe("x", replace(RECIPE, filters=QueryFilters(max_unknown_fraction=0.5)))
    found = replay(runtime.night_parts(), first.run_id, ReplayChanges(recipe=strict))
    assert found.not_applied == ["filters"]


def test_a_night_without_titles_is_replayed_with_them_while_the_catalog_is_the_same(
    shop: Shop, database: Database
) -> None:
    sources = "queries:0.4,co_purchase:0.4,history_titles:0.2"
    runtime = shop.runtime(sources=sources)
    plain = night(shop.runtime())
    found = replay(runtime.night_parts(), plain.run_id, ReplayChanges(recipe=runtime.recipe))
    with_titles = night(runtime, days=1)
    diff = diff_runs(database.engine, plain.run_id, with_titles.run_id)
    assert (found.lists.mean_jaccard, found.lists.gained) == (diff.mean_jaccard, diff.gained)
    again = replay(runtime.night_parts(), plain.run_id, ReplayChanges(recipe=runtime.recipe))
    assert (again.lists, again.searches) == (found.lists, 0)
    assert replay(runtime.night_parts(), plain.run_id, ReplayChanges()).is_equal
    other = night(shop.runtime(), days=2)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))
    with pytest.raises(
        UsageError, match="kept no titles of purchases, and the catalog has changed"
    ):
        replay(runtime.night_parts(), other.run_id, ReplayChanges(recipe=runtime.recipe))


def test_evaluations_without_queries_need_no_generator(bare_shop: Shop, database: Database) -> None:
    runtime = bare_shop.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")

    def measure(recipe: NamedRecipe, method: str = "product") -> EvaluationReport:
        (report,) = evaluate(
            runtime.engine,
            runtime.elastic,
            runtime.settings.index_alias,
            "loo",
            EvaluateOptions((method,), ks=(2, 5), recipes=(recipe,)),
            open_generator=runtime.generator,
            actor="test",
        )
        return report

    weights = ((("queries", 0.0), ("co_purchase", 1.0)), (("co_purchase", 1.0),))
    for one in weights:
        report = measure(NamedRecipe("mine", Recipe(fusion=Fusion(one))))
        assert (report.generator, report.num_queries) == (None, None)
        assert "decoding" not in report.options
    assert measure(shipped("default")).generator is None
    for method, name in (("product", "paper"), ("queries", "default")):
        with pytest.raises(UsageError, match="No query generator is in use"):
            measure(shipped(name), method)
