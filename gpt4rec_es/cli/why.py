"""``gpt4rec why USER``: history, queries, hits, list, and what was removed."""

from pathlib import Path
from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option, run_option, svg_file
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.why_item import print_item
from gpt4rec_es.cli.why_reasons import arm_note, left_out_because, reason_of


@click.command()
@click.argument("user_id")
@run_option
@click.option("--item", "item_id", help="Id of an item to explain: why it is, or is not, listed.")
@click.option(
    "--fields",
    "by_fields",
    is_flag=True,
    help="Explain the re-ranker's scores by the metadata fields of the listed items.",
)
@click.option(
    "--svg",
    "picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=svg_file,
    help="SVG file to draw the explanation to.",
)
@json_option
def why(
    user_id: str,
    run_id: str,
    item_id: str | None,
    by_fields: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Explain the recommendations of USER_ID, or why an item is not one of them.

    Example: gpt4rec why 16039 --item 22423
    """
    if by_fields:
        _why_fields(user_id, run_id, item_id, picture, as_json)
        return
    if item_id is not None:
        _why_item(user_id, run_id, item_id, picture, as_json)
        return
    from gpt4rec_es.night.inspect.why import explain_user

    explanation = explain_user(get_runtime().engine, user_id, run_id).as_dict()
    emit(explanation, as_json, print_explanation)
    if picture is not None:
        from gpt4rec_es.cli.why_picture import render_picture
        from gpt4rec_es.svg import write_picture

        reasons = [reason_of(row) for row in explanation["recommendations"]]
        write_picture(picture, render_picture(explanation, reasons))


def _why_fields(
    user_id: str, run_id: str, item_id: str | None, picture: Path | None, as_json: bool
) -> None:
    from gpt4rec_es.cli.why_fields import print_fields
    from gpt4rec_es.night.inspect.why_fields import explain_fields

    if item_id is not None or picture is not None:
        raise click.UsageError("--fields is about the whole list: leave --item and --svg out.")
    runtime = get_runtime()
    found = explain_fields(runtime.engine, runtime.reranker, user_id, run_id)
    emit(found.as_dict(), as_json, print_fields)


def _why_item(user_id: str, run_id: str, item_id: str, picture: Path | None, as_json: bool) -> None:
    from gpt4rec_es.night.inspect.why_item import explain_item

    if picture is not None:
        raise click.UsageError("--svg draws a whole list: leave --item out.")
    found = explain_item(get_runtime().engine, user_id, item_id, run_id)
    emit(found.as_dict(), as_json, print_item)


def _hits(query: dict[str, Any]) -> str:
    if query["removed_for"]:
        return f"removed ({query['removed_for']})"
    return f"{query['hits']}+" if query["has_more_hits"] else str(query["hits"])


def print_explanation(data: dict[str, Any]) -> None:
    """Print one explanation as tables."""
    from gpt4rec_es.options.lists import SearchOptions

    print_line(
        f"User {data['user_id']} in run {data['run_id']}: {data['outcome'] or 'not merged yet'}"
    )
    if data["arm"]:
        print_line(arm_note(data["arm"]))
    if data["short_reason"] or data["error"]:
        print_line(f"  because: {data['error'] or data['short_reason']}")
    _print_history(data["history"], data["n_bought"], is_prompt=data["prompt"] is not None)
    if data["generator"] is None:
        print_line("No queries: the run has no query generator.")
    elif data["arm"] and data["prompt"] is None:
        print_line("No queries are used.")
    else:
        _print_queries(data["queries"])
    if shown := SearchOptions.from_dict(data["search_options"]).shown:
        print_line(f"Queries are searched with {shown.removeprefix(', ')}.")
    _print_recommended(data["recommendations"])
    _print_removed(data["removed"])
    _print_rules(data["rules"], "removed", "items kept out", "Rules that kept items out")
    _print_rules(data["promotions"], "listed", "items listed", "Rules that pinned or moved items")
    for one in data["left_out_pins"]:
        print_line(f"{one['rule']} pins {one['places']} fewer: {left_out_because(one['cause'])}")
    if not data["equals_merge_now"]:
        print_line("Note: merging the stored hits again gives another list than the stored one.")


def _print_history(history: list[dict[str, Any]], n_bought: int, *, is_prompt: bool) -> None:
    rows = [
        [row["bought_at"].date() if row["bought_at"] else None, row["item_id"], row["title"]]
        for row in history
    ]
    title = f"History: {n_bought} items bought, " + (
        f"the newest {len(history)} make the prompt"
        if is_prompt
        else f"the newest {len(history)}; no prompt was made"
        if history
        else "no prompt was made"
    )
    print_table(["bought", "item_id", "title"], rows, title)


def _print_queries(queries: list[dict[str, Any]]) -> None:
    rows = [
        [
            row["query_rank"],
            row["query"],
            row["beam_score"],
            _hits(row),
            row["items_given"],
            row["top_hits"][0]["title"] if row["top_hits"] else None,
        ]
        for row in queries
    ]
    columns = ["rank", "query", "beam score", "hits", "items given", "best hit"]
    print_table(columns, rows, "Queries the model wrote")


def _print_recommended(recommendations: list[dict[str, Any]]) -> None:
    rows = [
        [row["rank"], row["item_id"], row["title"], reason_of(row), row["score"]]
        for row in recommendations
    ]
    print_table(["rank", "item_id", "title", "reason", "score"], rows, "Recommended")
    fused = [row for row in recommendations if row["contributions"]]
    if fused:
        # Numbers under each other, in a table of their own: beside two texts there is no room.
        parts = list(dict.fromkeys(name for row in fused for name in row["contributions"]))
        is_reranked = any(row["merge_rank"] for row in fused)
        print_table(
            ["rank", "fused score", *parts, *["place before"] * is_reranked],
            [
                [row["rank"], _three(row["fused_score"])]
                + [_three(row["contributions"].get(name)) for name in parts]
                + [row["merge_rank"]] * is_reranked
                for row in fused
            ],
            "Fused scores, and what each source added"
            + "; place before: among the candidates without the re-ranker" * is_reranked,
        )


def _three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _print_rules(rules: list[dict[str, Any]], counted: str, column: str, title: str) -> None:
    if not rules:
        return
    rows = [[r["rule"], r["kind"], r["value"], r["reason"], r[counted]] for r in rules]
    columns = ["rule", "about", "value", "reason", column]
    print_table(columns, rows, title)


def _print_removed(removed: list[dict[str, Any]]) -> None:
    if not removed:
        return
    print_table(
        ["item_id", "title", "was", "reason"],
        [
            [
                row["item_id"],
                row["title"],
                f"hit {row['hit_rank']} of "
                + (f"query {row['query_rank']}" if row["query_rank"] else "the newest title"),
                row["reason"],
            ]
            for row in removed
        ],
        "Skipped hits",
    )
