"""Tables on terminals of any width: names stay whole, texts wrap, nothing is lost."""

import datetime as dt
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gpt4rec_es.cli import (
    evaluate_output,
    quality_output,
    rules_output,
    runs_output,
    runs_trend,
    why,
)
from gpt4rec_es.cli.layout import Column, laid_out
from gpt4rec_es.night.publish.gates import GATES

CLI = Path(runs_output.__file__).parent
AT = dt.datetime(2026, 11, 29, 23, 59, 59, tzinfo=dt.UTC)
RUN = "nightly-2026-11-22-12"
TITLE = "WHITE HANGING HEART-SHAPED T-LIGHT HOLDER, SET OF 3, WITH RED RETROSPOT PATTERN"
ITEM = "B00EXAMPLE12"
WORDS = st.text("abcdefgh_", min_size=1, max_size=20)
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


def of_names(console: Console, columns: Sequence[Column]) -> list[str]:
    with console.capture() as captured:
        console.print(laid_out(columns, console))
    return captured.get().splitlines()


@given(
    width=st.integers(40, 200),
    names=st.lists(WORDS, min_size=1, max_size=5),
    texts=st.lists(TEXTS, min_size=1, max_size=5),
    numbers=st.lists(st.integers(0, 10**9), max_size=5),
)
def test_no_name_and_no_number_is_broken_at_any_width(
    width: int, names: list[str], texts: list[str], numbers: list[int]
) -> None:
    console = Console(width=width, color_system=None)
    cells = [*names, *texts, *map(str, numbers)]
    columns = [Column(f"n{n}", [Text(one)], [False], False) for n, one in enumerate(cells)]
    lines = of_names(console, columns)
    assert max(map(cell_len, lines)) <= width
    for name in (*names, *map(str, numbers)):
        assert any(name in line for line in lines), lines
    words = sorted(re.findall(r"\S+", " ".join(lines).replace("─", " ")))
    assert not {word for text in texts for word in text.split()} - set(words)


def test_a_word_wider_than_the_terminal_is_folded_and_whole() -> None:
    console = Console(width=40, color_system=None)
    lines = of_names(console, [Column("id", [Text("x" * 90)], [False], False)])
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("x") == 90


def item(**more: Any) -> dict[str, Any]:
    return {"item_id": ITEM, "title": TITLE, "is_active": True, **more}


def recommended(rank: int, source: str, **more: Any) -> dict[str, Any]:
    return item(
        rank=rank,
        source=source,
        hit_rank=10,
        query_rank=10,
        query="white hanging heart t-light holder",
        from_item=item(),
        promoted_by="rule 12",
        score=123.45678,
        fused_score=-12.345678,
        contributions={
            "queries": -12.345678,
            "co_purchase": 1.5,
            "history_titles": 2.25,
            "popularity": -0.5,
            "reranker": -1.25,
            "boost": 0.125,
        },
        merge_rank=450,
        rerank_score=-2.5,
        **more,
    )


STAGE = {
    "stage": "generate",
    "done": 1_000_000,
    "total": 10_000_000,
    "unit": "prompts",
    "shards_open": 1234,
    "leases": 12,
    "expired_leases": 12,
    "members_per_second": 123.4567,
    "eta_seconds": 123456.789,
    "last_error": "DependencyError: Elasticsearch at https://search.example.org:9200 refused it",
}
STATUS = {
    "run_id": RUN,
    "state": "checking",
    "is_published": True,
    "is_pinned": True,
    "error": None,
    "users_per_second": 12.0,
    "eta_seconds": 12.0,
    "pruned_at": None,
    "cohort_size": 10,
    "users_done": 1,
    "weights": {"queries": 0.1},
    "holdback": {"none": 0.05},
    "canary_users": 200,
    "canary_passed_at": None,
    "recipe": "default",
    "generator": "first",
    "reranker": "fields-of-november",
    "encoder": "titles-of-november",
    "k": 10,
    "index": "items-20261129-235959-abcdef",
    "k1": 1.2,
    "b": 0.75,
    "minimum_should_match": None,
    "stages": [STAGE, {**STAGE, "last_error": None}],
    "leases": [
        {
            "owner": "generation@worker-12.example.org:12345",
            "stage": "generate",
            "shard_no": 12345,
            "members": 1000,
            "attempt": 3,
            "seconds_left": 123.4,
        }
    ],
    "outcomes": {},
    "sources": {},
    "promotions": {},
    "left_out_pins": {},
    "removed_queries": {},
    "distinct_first_queries": None,
    "top_first_query_fraction": None,
    "gates": [
        {
            "gate": gate.name,
            "passed": False,
            "measured": "1,234 of 100,000 users with a prompt have no queries; 0 of 0 places; "
            "uuid AbCdEfGhIjKlMnOpQrStUv",
            "required": "100,000 documents, k1 1.2, b 0.75, uuid AbCdEfGhIjKlMnOpQrStUv",
            "importance": place,
            "is_blocking": place % 2 == 0,
            "reason": gate.reason,
        }
        for place, gate in enumerate(GATES, start=1)
    ],
}
RULE = {
    "rule_no": 12345,
    "action": "boost",
    "places": 1000,
    "kind": "category",
    "value": "Home & Kitchen > Kitchen & Dining > Tea Towels",
    "reason": "winter campaign of the shop in Hamburg",
    "valid_from": dt.date(2026, 12, 1),
    "valid_until": dt.date(2026, 12, 24),
    "actor": "merchandiser@shop.example.org",
    "created_at": AT,
    "removed_at": AT,
    "warnings": [],
}
PARTS = ["queries", "co_purchase", "history_titles", "popularity", "boost"]
RUN_ROW = {
    "run_id": RUN,
    "state": "published",
    "is_published": True,
    "is_pinned": False,
    "cohort_size": 1_000_000,
    "planned_at": AT,
    "finished_at": AT,
    "pruned_at": AT,
    "error": TITLE,
}
EVALUATION = {
    "evaluation_no": 12345,
    "split": "leave-last-out-2026",
    "part": "validation",
    "method": "product",
    "options": {
        "recipe": {"name": "winter-campaign"},
        "fusion": {
            "method": "scores",
            "weights": [("queries", 0.1), ("co_purchase", 0.6), ("history_titles", 0.3)],
        },
    },
    "generator_name": "gpt2-medium-2026",
    "num_queries": 10,
    "metrics": {40: {"recall": 0.12345, "ndcg": 0.12345, "mrr": 0.12345}},
    "n_eval_users": 1_000_000,
    "distinct_first_queries": 123_456,
    "top_first_query_fraction": 0.12,
    "k1": 1.2,
    "b": 0.75,
    "created_at": AT,
}
DIFF = {
    "mean_jaccard": None,
    "gained": [{"users": 1_000_000, "item_id": ITEM, "title": TITLE}],
    "lost": [],
}
QUERY = {
    "query_rank": 10,
    "query": "white hanging heart-shaped t-light holder",
    "beam_score": -12.345678,
    "removed_for": "unknown: 3 of 4 terms",
    "items_given": 10,
    "top_hits": [item()],
}
REMOVED = item(hit_rank=100, query_rank=10, reason="max_per_brand")
PROMOTED = {"rule": "rule 12345", "listed": 10, **RULE}
# Command -> function that prints its tables, and names that must stay whole.
TREND_ROW = {
    **dict.fromkeys(runs_trend._COLUMNS, 0.12345),
    **dict.fromkeys(("users", "buyers_1", "buyers_7"), 1_000_000),
    "run_id": RUN,
    "logical_date": AT.date(),
    "seconds": 12345.6,
    "tokens": 1_234_567_890,
    "searches": 1_234_567,
}
FIGURE = {
    name + end: 0.12345 for name in ("hit_rate", "recall", "gain") for end in ("", "_low", "_high")
}
QUALITY = {
    "measurements": [
        {
            "run_id": RUN,
            "age_days": age,
            "n_users": 100_000,
            "n_bought": 200_000,
            "measured_on": dt.date(2026, 11, 30),
            "is_complete": age == 1,
            "methods": [
                {**FIGURE, "method": name, "n_users": 100_000}
                for name in ("published", "popularity", "newest_title")
            ],
        }
        for age in (1, 7, 28)
    ],
    "parts": [
        {"part": part, "value": value, "age_days": 1, "n_hits": 1234, "n_judged": 100_000}
        for part, value in (("rank", "1"), ("source", "co_purchase"), ("outcome", "no_history"))
    ],
    "arms": [
        {
            "age_days": 28,
            "arm": "popularity",
            "n_users": 1_000_000,
            "n_buyers": 123_456,
            "recipe_against_it": {
                "difference": -0.1234,
                "low": -0.2345,
                "high": -0.1111,
                "needed": 1_234_567,
                "is_clear": True,
            },
        }
    ],
    "decline": {
        "pairs": 7,
        "worse": 7,
        "hit_rate": 0.1,
        "before": 0.2,
        "is_declined": True,
        "p_value": 0.001,
        "ratio_p_value": 0.002,
    },
    "reason": None,
    "caution": "Observational.",
}
TABLES: dict[str, tuple[Callable[[], None], list[str]]] = {
    "runs show": (
        partial(runs_output.print_status, STATUS),
        [*(gate.name for gate in GATES), "AbCdEfGhIjKlMnOpQrStUv", "DependencyError:"],
    ),
    "runs show --wide": (
        partial(runs_output.print_status, STATUS, wide=True),
        ["members_per_second", "123.5", "generation@worker-12.example.org:12345"],
    ),
    "runs list": (partial(runs_output.print_list, [RUN_ROW], wide=False), [RUN, "23:59"]),
    "runs list --wide": (partial(runs_output.print_list, [RUN_ROW], wide=True), [RUN, str(AT)]),
    "runs trend": (
        partial(runs_trend.print_trend, [TREND_ROW], wide=False),
        [str(AT.date()), "1000000", "12.35", "12346"],
    ),
    "runs trend --wide": (
        partial(runs_trend.print_trend, [TREND_ROW], wide=True),
        [RUN, "1234567890"],
    ),
    "quality": (
        partial(quality_output.print_nights, QUALITY),
        [RUN, "100000", "12.35 %", "popularity"],
    ),
    "quality --run": (
        partial(quality_output.print_run, QUALITY),
        ["newest_title", "12.35", "co_purchase", "1,234/100,000", "1234567"],
    ),
    "runs diff": (partial(runs_output.print_lists_diff, DIFF), [ITEM, "HEART-SHAPED"]),
    "rules list": (
        partial(rules_output.print_rules, [RULE], wide=False),
        ["boost by 1000", "2026-12-01", "2026-12-24", "category"],
    ),
    "rules list --wide": (
        partial(rules_output.print_rules, [RULE], wide=True),
        [str(AT), "merchandiser@shop.example.org"],
    ),
    "evaluate list": (
        partial(evaluate_output.print_list, [EVALUATION], wide=False),
        ["leave-last-out-2026", "validation", "co_purchase:0.6", "0.1235"],
    ),
    "evaluate list --wide": (
        partial(evaluate_output.print_list, [EVALUATION], wide=True),
        ["gpt2-medium-2026", "123456"],
    ),
    "why": (
        partial(
            why.print_explanation,
            {
                "user_id": "u1",
                "run_id": RUN,
                "outcome": "ok",
                "short_reason": None,
                "error": None,
                "n_bought": 1,
                "generator": "first",
                "prompt": "titles",
                "history": [item(bought_at=AT)],
                "queries": [QUERY, {**QUERY, "removed_for": None, "hits": 1, "has_more_hits": 1}],
                "search_options": {},
                "recommendations": [recommended(1, "queries"), recommended(10, "co_purchase")],
                "removed": [REMOVED],
                "rules": [],
                "promotions": [PROMOTED],
                "left_out_pins": [{"rule": "rule 1", "cause": "rule 2", "places": 1}],
                "equals_merge_now": True,
                "arm": "paper",
            },
        ),
        [ITEM, "HEART-SHAPED", "-12.346", "max_per_brand", *PARTS],
    ),
}


@pytest.mark.parametrize("command", TABLES)
def test_tables_fit_80_columns_and_names_stay_whole(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    show, names = TABLES[command]
    show()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    # Lines outside of tables are left to the terminal, which does not break what is copied.
    tables = [line for line in shown.splitlines() if line.startswith(" ")]
    assert max(map(cell_len, tables)) <= 80, shown
    for name in names:
        assert any(name in line for line in tables), f"{name}\n{shown}"


@pytest.mark.parametrize("command", ["runs show", "runs trend"])
def test_gates_and_trends_fit_80_columns_in_a_pipe(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show, names = TABLES[command]
    show()
    shown = capsys.readouterr().out
    of_gates = shown[shown.find("gates, by") :] if command == "runs show" else shown
    tables = [line for line in of_gates.splitlines() if line.startswith(" ")]
    assert max(map(cell_len, tables)) <= 80, shown
    assert all(name in shown for name in names)


def test_columns_of_text_are_no_slivers() -> None:
    """Beside two texts a third had a few characters per line; now it has room for words."""
    console = Console(width=80, color_system=None)
    texts = [TITLE, "hit 2 of query 1 “white hanging heart”", "0.123: co_purchase 0.1, titles 0.2"]
    columns = [Column(f"c{n}", [Text(one)], [False], False) for n, one in enumerate(texts)]
    lines = of_names(console, columns)
    assert len(lines) <= 10, lines


def test_all_tables_are_laid_out_here() -> None:
    others = [
        path.name
        for path in CLI.glob("*.py")
        if path.name != "layout.py" and "rich.table" in path.read_text()
    ]
    assert others == []
