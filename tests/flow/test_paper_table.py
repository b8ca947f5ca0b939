"""The paper's comparison from stored evaluations: cells, gaps with their commands, unions, cost."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.cli.main import run
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop

QUICK = ("--epochs", "2", "--dim", "8")


@pytest.fixture(scope="module")
def filled(servers: Servers, module_database: Database, module_alias: str) -> Shop:
    """A shop with an index and a split."""
    use_titles(module_database)
    made = make_shop(servers, module_database, module_alias)
    runtime = made.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    create_split(runtime.engine, "users", SplitOptions("users"), actor="test")
    runtime.close()
    return made


@pytest.fixture(autouse=True)
def _entered(filled: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_cells_come_from_evaluations_and_missing_ones_from_the_commands_that_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = ("evaluate", "table", "loo", "--k", "2,5", "--paper", "beauty")
    empty = call(capsys, *at)
    assert all(cell["mean"] is None for line in empty["lines"] for cell in line["cells"])
    assert empty["gains"] == []
    named = [(one["methods"], one["commands"]) for one in empty["missing"]]
    commands = [command for _, several in named for command in several]
    train = [command for command in commands if " train baseline " in command]
    assert len(train) == 7
    chosen = [
        command
        for command in commands
        if "fm_bpr" in command or "sasrec_text" in command or "--method popularity" in command
    ]
    assert len(chosen) == 5
    for command in chosen:
        quick = QUICK if " train " in command else ()
        assert run([*shlex.split(command)[1:], *quick]) == 0
    capsys.readouterr()
    queries = ("evaluate", "run", "loo", "--part", "test", "--method", "queries")
    call(capsys, *queries, "--generator", "titles", "--trust", "--num-queries", "2,5", "--k", "2,5")

    found = call(capsys, *at)
    left = {name for one in found["missing"] for name in one["methods"]}
    assert left == {"bpr_mf", "sasrec", "youtube_dnn", "content_rec", "bert4rec"}
    lines = {line["label"]: line for line in found["lines"]}
    shown = call(capsys, "evaluate", "show", str(lines["fm_bpr"]["evaluation_no"]))
    means = {(m["metric"], m["k"]): m["mean"] for m in shown["metrics"] if m["segment"] == "all"}
    cells = {(c["metric"], c["k"]): c for c in lines["fm_bpr"]["cells"]}
    assert cells["recall", 5]["mean"] == means["recall", 5]
    assert (cells["recall", 5]["paper"], cells["recall", 2]["paper"]) == (0.0356, None)
    of_queries = {c["k"]: c for c in lines["queries m=5"]["cells"] if c["metric"] == "recall"}
    assert of_queries[2]["mean"] is None  # fewer places than queries
    cost = lines["sasrec_text"]["cost"]
    assert cost["training_minutes"] >= 0
    assert cost["peak_memory_mb"] > 100
    assert cost["serving_threads"] >= 1
    best = max(
        (line["label"] for line in found["lines"] if "queries" not in line["label"]),
        key=lambda label: next(
            (
                c["mean"] or 0
                for c in lines[label]["cells"]
                if (c["metric"], c["k"]) == ("recall", 5)
            ),
        ),
    )
    gain = next(one for one in found["gains"] if (one["label"], one["k"]) == ("queries m=5", 5))
    assert gain["best_baseline"] == best
    compared = call(
        capsys,
        *("evaluate", "compare"),
        *map(str, (gain["best_evaluation_no"], gain["evaluation_no"])),
    )
    paired = next(d for d in compared["differences"] if (d["k"], d["metric"]) == (5, "recall"))
    assert (gain["gain"], gain["low"], gain["high"]) == tuple(
        pytest.approx(paired[name]) for name in ("gain", "low", "high")
    )

    assert {line["learned_validation"] for line in lines.values()} == {False, None}
    assert run(["evaluate", "loo", "--table", "paper", *at[3:], "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (own,) = [r for r in rows if (r["metric"], r["method"], r["k"]) == ("recall", "fm_bpr", "5")]
    assert float(own["mean"]) == means["recall", 5]
    assert own["paper"] == "0.0356"
    assert {r["best_baseline"] for r in rows if r["method"] == "queries m=5"} == {"", best}

    assert run([*at]) == 0
    text = capsys.readouterr().out
    assert run(["evaluate", *at[3:], "--table=paper", "loo"]) == 0
    assert capsys.readouterr().out == text
    assert run(["evaluate", "loo", "--table", "tex"]) == 2
    assert "the only table is `--table paper`" in capsys.readouterr().err
    (head,) = (row for row in text.splitlines() if "s/1,000" in row)
    assert head.split()[-4:] == ["threads", "s/1,000", "threads", "validation"]
    assert "  gpt4rec train baseline bert4rec --split loo" in text
    assert "this split's protocol is leave-one-out" in text
    assert "users are new" not in text
    assert "learned from the validation part:" not in text
    assert max(map(len, (row for row in text.splitlines() if "gpt4rec " not in row))) <= 80
    refit = ("evaluate", "run", "loo", "--part", "test", "--k", "2,5", "--method", "popularity")
    assert run([*refit, "--trained", ".models/fm_bpr-loo"]) == 0
    said = "learned from the validation part: popularity; not: fm_bpr"
    assert said in capsys.readouterr().out
    assert run([*at[:5]]) == 0
    text = capsys.readouterr().out
    assert "learned from the validation part: popularity; not: " in text
    assert "arXiv" not in text
    assert run(["evaluate", "table", "loo", "--evaluation", "999"]) == 2
    assert "There is no evaluation 999 of loo (test)." in capsys.readouterr().err
    assert run([*at, "--json", "--csv"]) == 2


def test_the_table_says_how_methods_that_know_users_by_number_serve_new_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call(capsys, "train", "baseline", "fm_bpr", "--split", "users", *QUICK)
    measured = ("evaluate", "run", "users", "--part", "test", "--k", "2,5")
    call(capsys, *measured, "--method", "popularity")
    at = ("evaluate", "table", "users", "--k", "2,5")
    assert call(capsys, *at)["users_by_items"] == []
    assert run([*measured, "--method", "fm_bpr", "--method", "sasrec"]) == 2
    refused = " ".join(capsys.readouterr().err.split())
    assert "no trained sasrec of the split 'users': no folder .models/sasrec-users" in refused
    assert "`gpt4rec train baseline sasrec --split users`" in refused
    both = ("--method", "fm_bpr", "--trained", ".models/fm_bpr-users")
    assert [one["method"] for one in call(capsys, *measured, *both)] == ["fm_bpr"]
    assert call(capsys, *at)["users_by_items"] == ["fm_bpr"]
    assert run([*at]) == 0
    (said,) = (one for one in capsys.readouterr().out.splitlines() if "users are new" in one)
    assert said == "fm_bpr: users are new, served by the mean of their items' vectors"
    assert len(said) + len("bpr_mf, ") <= 80


def test_an_evaluation_of_fewer_users_changes_no_other_gain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = ("evaluate", "run", "loo", "--generator", "titles", "--trust")
    both = ("--method", "popularity", "--method", "queries", "--num-queries", "2")
    call(capsys, *measured, *both, "--k", "2,5")
    at = ("evaluate", "table", "loo", "--part", "validation", "--k", "2,5")
    before = call(capsys, *at)["gains"]
    product = ("--method", "product", "--sources", "queries", "--num-queries", "2", "--sample", "9")
    (few,) = call(capsys, *measured, *product, "--k", "2,5")
    again = ("evaluate", "run", "loo", "--method", "popularity", "--k", "2")
    newest = call(capsys, *again)[0]["evaluation_no"]
    found = call(capsys, *at, "--evaluation", str(few["evaluation_no"]))
    gains = found["gains"]
    of_queries = [one for one in gains if one["label"] == "queries m=2"]
    assert [{**one, "best_evaluation_no": 0} for one in of_queries] == [
        {**one, "best_evaluation_no": 0} for one in before
    ]
    assert [one["best_evaluation_no"] for one in of_queries] == [newest, newest - 3]
    (line,) = (one for one in found["lines"] if one["method"] == "product")
    assert line["label"].startswith("product ")
    assert line["label"].endswith(" on 9 users")
    (popular,) = (one for one in found["lines"] if one["label"] == "popularity")
    recalls = [one for one in popular["cells"] if one["metric"] == "recall"]
    assert [one["evaluation_no"] for one in recalls] == [newest, newest - 3]
    assert run([*at, "--evaluation", str(newest), "--evaluation", str(newest - 3)]) == 2
    assert "are both of popularity" in " ".join(capsys.readouterr().err.split())


def test_unions_add_what_others_find(capsys: pytest.CaptureFixture[str]) -> None:
    measured = ("evaluate", "run", "loo", "--part", "test", "--k", "2,5")
    several = ("--method", "popularity", "--method", "last-title", "--method", "co_purchases")
    numbers = [str(one["evaluation_no"]) for one in call(capsys, *measured, *several)]
    found = call(capsys, "evaluate", "union", *numbers, "--k", "2,5")
    assert [(one["k"], one["label"]) for one in found["unions"]] == [
        (k, label) for k in (2, 5) for label in ("last-title", "co_purchases")
    ]
    for one in found["unions"]:
        assert one["either"] == pytest.approx(one["first"] + one["only_other"])
        assert one["either"] == pytest.approx(one["other"] + one["only_first"])
        assert one["either"] == pytest.approx(one["first"] + one["other"] - one["both"])
        assert one["low"] <= one["only_other"] <= one["high"]
        assert found["together"][str(one["k"])] >= one["either"] - 1e-12
    assert any(one["only_other"] > 0 for one in found["unions"])
    assert run(["evaluate", "union", *numbers, "--k", "5"]) == 0
    assert "all together at K = 5" in capsys.readouterr().out
    assert run(["evaluate", "union", *numbers]) == 2
    assert "has no lists of 10 items" in " ".join(capsys.readouterr().err.split())
    compared = ("evaluate", "compare", *numbers[:2], "--segment")
    assert run([*compared, "history 20+"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "No user of loo (test) is in the segment 'history 20+'. Users are in: history 1-4" in said
    )
    assert run([*compared, "x"]) == 2
    assert "There is no segment 'x'" in capsys.readouterr().err
