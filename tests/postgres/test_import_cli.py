"""``gpt4rec import`` on the command line: output, JSON, exit codes, and no traceback."""

import io
import json
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from tests.databases import Database

SAMPLES = Path(__file__).parents[1] / "data" / "feeds"


@pytest.fixture(autouse=True)
def _writer(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database.writer_url)
    monkeypatch.setenv("GPT4REC_STACK_FOLDER", str(tmp_path / "no-stack"))
    monkeypatch.setenv("GPT4REC_ACTOR", "tester")
    monkeypatch.chdir(tmp_path)


def typed(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str, str]:
    code = run(["import", *map(str, args)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_items_then_interactions(capsys: pytest.CaptureFixture[str], database: Database) -> None:
    code, out, err = typed(capsys, "items", SAMPLES / "own_items.csv")
    assert code == 0, err
    assert "own_items.csv (own)" in out
    assert "5 records" in out
    assert "5 new, 0 changed, 0 unchanged; version 1" in out
    assert "Importing" in err  # progress goes to stderr
    code, out, err = typed(capsys, "interactions", SAMPLES / "own_interactions.csv")
    assert code == 0, err
    assert "4 new, 0 changed, 0 unchanged, 2 new users; version 1" in out
    with database.engine.begin() as connection:
        assert connection.execute(text("SELECT actor FROM imports")).scalars().all() == [
            "tester",
            "tester",
        ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = typed(capsys, "items", SAMPLES / "own_items.csv", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["records"], report["inserted"], report["rejected"]) == (5, 5, {})
    assert report["shapes"] == ["own"]


def test_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = typed(capsys, "items", SAMPLES / "own_items.csv", "--dry-run")
    assert code == 0
    assert "would be: 5 new, 0 changed, 0 unchanged; nothing was changed" in out
    _, out, _ = typed(capsys, "items", SAMPLES / "own_items.csv", "--dry-run", "--json")
    assert json.loads(out)["inserted"] == 5


def test_a_stopped_import_shows_the_first_rejects(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,title,price\na,Mug,1\nb,\x1b[31mCup,cheap\n")
    code, out, err = typed(capsys, "items", path)
    assert code == 1
    assert "2 records" in out
    assert "bad_price" in out
    assert "'cheap' is no price" in out
    assert "b,\\x1b[31mCup,cheap" in out
    assert "\x1b" not in out
    assert "new" not in out.split()  # no changes are printed
    last = err.strip().splitlines()[-1]
    assert last.startswith("Error: 1 of 2 records read are wrong, most of them bad_price")
    assert last.endswith("or allow more by --max-rejects.")
    code, out, _ = typed(capsys, "items", path, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["error"].startswith("1 of 2 records")
    assert report["first_rejects"][0]["line"] == 3
    code, out, _ = typed(capsys, "items", path, "--max-rejects", "0.5")
    assert code == 0
    assert "1 set aside" in out


def test_columns_formats_and_units(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    items, events = tmp_path / "items.csv", tmp_path / "events.csv"
    items.write_text("sku,name\n1,Mug\n")
    events.write_text("buyer,sku,when\nann,1,5\n")
    code, _, err = typed(
        capsys, "items", items, "--column", "item_id=sku", "--column", "title=name"
    )
    assert code == 0, err
    columns = ["--column", "user_id=buyer", "--column", "item_id=sku", "--column", "timestamp=when"]
    code, _, err = typed(capsys, "interactions", events, *columns, "--time-unit", "s")
    assert code == 0, err
    code, _, err = typed(capsys, "interactions", events, *columns[:4], "--order", "file")
    assert code == 0, err


MAPPING = """
kind = "items"
decimal = "comma"
quoting = "standard"
no_value = ["Unknown"]
skip_items = ["POST*"]
max_size = "20M"

[columns]
item_id = "sku"
title = "name"
price = ""

[flags]
retired = false
"""


def test_a_mapping_file_holds_options_that_the_command_line_overrides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, database: Database
) -> None:
    config, items = tmp_path / "mapping.toml", tmp_path / "items.csv"
    config.write_text(MAPPING)
    items.write_text(
        "sku;name;price;vendor;active\n1;Mug;1.299;Unknown;retired\nPOST1;Postage;1;;\n"
    )
    code, out, err = typed(capsys, "items", items, "--config", config, "--column", "brand=vendor")
    assert code == 0, err
    assert "skipped: 1 x item left out" in out
    rows = "SELECT item_id, title, brand, price, is_active FROM items"
    with database.engine.begin() as connection:
        assert [tuple(row) for row in connection.execute(text(rows))] == [
            ("1", "Mug", None, None, False)
        ]
    code, out, err = typed(capsys, "items", items, "--config", config, "--column", "price=price")
    assert code == 0, err
    with database.engine.begin() as connection:
        assert connection.execute(text("SELECT price FROM items")).scalar_one() == 1299


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind = 'users'", "is for users: use `gpt4rec import users`"),
        ("colour = 1", "'colour' is not known; there are attributes"),
        ("columns = 'x'", "'columns' is not a table"),
        ("decimal = 'dot'", "'dot' is not one of"),
        ("max_size = 'big'", "'big' is no size"),
        ("[flags]\nretired = 'maybe'", "retired must be yes or no"),
        ("decimal =", "cannot be read: Invalid value (at end of document)"),
        (b"\xff\xfe", "cannot be read: "),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_mapping_file_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    config = tmp_path / "mapping.toml"
    if content is not None:
        config.write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "x.csv").write_text("item_id,title\n1,Mug\n")
    code, _, err = typed(capsys, "items", "x.csv", "--config", config)
    assert code == 2
    assert message.replace("attributes", "columns") in err
    assert len(err.strip().splitlines()) == 1


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed() -> None:
        pipe = io.BytesIO(b"item_id,title\n1,Mug\n2,Cup\n")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))

    feed()
    code, out, err = typed(capsys, "items", "-")
    assert code == 0, err
    assert "standard-input (own)" in out
    feed()
    code, _, err = typed(capsys, "items", "-", "--max-size", "10")
    assert code == 1
    assert "more than 10 bytes" in err


def test_users(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("id,segment\nann,gold\n")
    args = ("users", path, "--column", "user_id=id", "--attribute", "segment")
    code, out, err = typed(capsys, *args)
    assert code == 0, err
    assert "1 new, 0 changed, 0 unchanged, 1 new users" in out


def test_the_report_says_what_items_are_left_without(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,title,brand\n1,Mug,Acme\n")
    _, out, _ = typed(capsys, "items", path)
    assert "without title 0 (before: 0), brand 0 (before: 0), category 1 (before: 0)" in out
    path.write_text("item_id,title,brand\n1,Mug,\n")
    _, out, _ = typed(capsys, "items", path)
    assert "so kept (--on-empty clear erases them): brand 1" in out
    _, out, _ = typed(capsys, "items", path, "--on-empty", "clear", "--dry-run")
    assert "warning: 1 of 1 items lost their brand" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["items"], "Missing argument"),
        (["items", "missing.csv"], "missing.csv cannot be read: No such file"),
        (["items", "."], "Is a directory"),
        (["items", "empty.csv"], "empty.csv is empty"),
        (["items", "x.csv", "--format", "mine"], "'mine' is not one of"),
        (["items", "x.csv", "--column", "title"], "write FIELD=COLUMN"),
        (["items", "x.csv", "--column", "title=a", "--column", "title=b"], "each once"),
        (["items", "x.csv", "--column", "colour=a"], "colour is no field of items"),
        (["items", "x.csv", "--column", "title=a"], "has no column a"),
        (["items", "x.csv", "--max-rejects", "2"], "2.0 is not in the range"),
        (["interactions", "x.csv"], "has the fields item_id, title"),
        (["interactions", "x.csv", "--time-unit", "h"], "'h' is not one of"),
        (["interactions", "x.csv", "--time-format", "d/m/y"], "nor a pattern such as"),
        (["interactions", "x.csv", "--time-format", "%Q"], "nor a pattern such as"),
        (["items", "x.csv", "--max-size", "0"], "'0' is no size"),
    ],
)
def test_wrong_use_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, args: list[str], message: str
) -> None:
    (tmp_path / "x.csv").write_text("item_id,title\n1,Mug\n")
    (tmp_path / "empty.csv").write_text("")
    code, out, err = typed(capsys, *args)
    assert code == (1 if "empty.csv" in args else 2)
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_without_a_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/none")
    code, _, err = typed(capsys, "items", SAMPLES / "own_items.csv")
    assert code == 4
    assert "secret" not in err
    assert "127.0.0.1:1" in err
