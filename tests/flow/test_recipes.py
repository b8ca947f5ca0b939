import json
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.recipes.live import live_recipe, undo_use, use_recipe
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.recipes.store import list_recipes, read_recipe, store_recipe
from tests.commands import Cli
from tests.databases import Database
from tests.shop import Shop


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
    assert (undone.before.name, undone.after.name) == ("mine", "paper")
    use_recipe(database.engine, "default", actor="ops", reason="a third")
    undo_use(database.engine, actor="ops", reason=None)
    assert live(database) == "paper"
    assert undo_use(database.engine, actor="ops", reason=None).after.name == "default"
    with pytest.raises(UsageError, match="to undo"):
        undo_use(database.engine, actor="ops", reason=None)
    with database.engine.connect() as connection:
        uses = connection.execute(
            text(
                "SELECT use_action, recipe_name, is_shipped, is_newest_use FROM analytics.recipe_uses"
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
    assert [one.name for one in list_recipes(database.engine)] == ["default", "paper", "mine"]


def test_a_recipe_of_newer_code_is_refused_when_it_is_read(database: Database) -> None:
    store_recipe(database.engine, "mine", Recipe(), actor="ops")
    use_recipe(database.engine, "mine", actor="ops", reason="a try")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE recipes SET document = document || '{\"format\": 2}'"))
    with pytest.raises(UsageError, match=r"The recipe 'mine' has format 2.*Upgrade"):
        live(database)


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
    assert json.loads(cli("recipes", "export", "mine")) == document
    differing = cli.json("recipes", "diff", "paper", "mine")["differences"]
    assert differing == {"prompt_titles": [None, 5]}
    used = cli.json("recipes", "use", "mine", "--reason", "a try")
    assert used["after"]["name"] == "mine"
    shown = cli.json("recipes", "show")
    assert (shown["name"], shown["is_live"], shown["document"]) == ("mine", True, document)
    assert cli.json("recipes", "undo", "--dry-run")["dry_run"]
    assert live(database) == "mine"
    for command in (["list"], ["show", "default"], ["diff", "paper"], ["undo"]):
        lines = cli("recipes", *command).splitlines()
        assert max(map(len, lines)) <= 80, lines
    assert "There are: default, paper, " in cli.error("recipes", "show", "none", code=2)
