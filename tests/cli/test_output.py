import datetime as dt
import json
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from gpt4rec_es.cli.output import emit, first_queries_line, plural, print_line, print_table, show

LONG_ID = "B" + "0" * 300


@dataclass
class Row:
    at: dt.date
    price: Decimal


def test_json_holds_what_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "row": Row(dt.date(2026, 11, 22), Decimal("1.50")),
        "at": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "set": {2, 1},
        "path": Path("a/b"),
        "title": "Straße \x1b[31m \x85 \u202e",
    }
    emit(data, as_json=True, render=lambda _: pytest.fail("not asked for"))
    out = capsys.readouterr().out
    assert "Straße" in out
    assert not set("\x1b\x85\u202e") & set(out)
    assert json.loads(out) == {
        "row": {"at": "2026-11-22", "price": "1.50"},
        "at": "2026-01-02T03:04:05+00:00",
        "set": [1, 2],
        "path": "a/b",
        "title": "Straße \x1b[31m \x85 \u202e",
    }


def test_json_of_something_else_is_a_fault() -> None:
    with pytest.raises(TypeError, match="object cannot be written"):
        emit(object(), as_json=True, render=print)


def test_for_people_it_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    emit([1, 2], as_json=False, render=lambda data: print_line(f"{len(data)} \x1b rows"))
    assert capsys.readouterr().out == "2 \\x1b rows\n"


def test_table_in_a_pipe_cuts_and_folds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ["item_id", "title", "score"],
        [(LONG_ID, "x[bold]y :smile: \x1b", 1.0), ("B2", None, 12345.678)],
        title="Hits",
    )
    out = capsys.readouterr().out
    assert any(LONG_ID in line and "x[bold]y :smile: \\x1b" in line for line in out.splitlines())
    assert "1.235e+04" in out
    assert "Hits" in out


def test_table_on_a_terminal_folds_but_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    print_table(["item_id", "n"], [(LONG_ID, 1)])
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 40
    assert out.count("0") == LONG_ID.count("0")


def test_a_narrow_table_fits_80_columns_and_no_line_ends_with_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = dt.datetime(2026, 11, 22, 2, 3, 4, tzinfo=dt.UTC)
    columns = ["run_id", "state", "finished_at", "error"]
    rows = [("nightly-2026-11-22-1", "published", at, "x" * 90), ("b", "failed", None, None)]
    print_table(columns, rows, keep={"run_id", "state", "finished_at"})
    out = capsys.readouterr().out
    assert "2026-11-22 02:03\n" in out
    assert "error" not in out
    assert max(map(len, out.splitlines())) <= 80
    print_table(columns, rows)
    wide = capsys.readouterr().out
    assert "2026-11-22 02:03:04+00:00" in wide
    assert not [line for line in (out + wide).splitlines() if line.endswith(" ")]
    assert "\x1b" not in out + wide


def test_states_have_colours_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_table(["state", "title"], [("rejected", "rejected"), ("published", None)])
    out = capsys.readouterr().out
    assert out.count("\x1b[31mrejected") == 1
    assert out.count("\x1b[32mpublished") == 1


@pytest.mark.parametrize(
    ("n", "shown"), [(0, "0 users"), (1, "1 user"), (2, "2 users"), (2000, "2,000 users")]
)
def test_plural(n: int, shown: str) -> None:
    assert plural(n, "user") == shown


def test_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["run_id"], [])
    assert "(none)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (0.12345678, "0.1235"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=dt.UTC), "2026-01-02 03:04:05+00:00"),
        ("a\nb", "a\\nb"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert show(value) == shown


def test_first_queries_are_one_line_or_none() -> None:
    assert first_queries_line(1234, 0.125) == (
        "first queries: 1,234 distinct; the most frequent one is that of 12.5% of the users with "
        "a query"
    )
    assert first_queries_line(None, None) == first_queries_line(0, None) == ""
