"""Prints what metadata fields do to a re-ranker's scores."""

from typing import Any

from gpt4rec_es.cli.output import print_line, print_table


def print_fields(data: dict[str, Any]) -> None:
    """Print the explanation of a list by fields."""
    print_line(
        f"User {data['user_id']} in run {data['run_id']}, fields read by re-ranker "
        f"{data['reranker']}"
    )
    rows = []
    for item in data["items"]:
        # Rank and item stand at the first of its fields only.
        shown = [item["rank"], item["item_id"], item["rerank_score"]]
        for field in item["fields"] or [{}]:
            names = ("field", "text", "weight", "effect")
            rows.append([*shown, *(field.get(name) for name in names)])
            shown = ["", "", ""]
    columns = ["rank", "item_id", "score", "field", "text", "weight", "effect"]
    print_table(columns, rows, "Re-rank scores by field; effect: what the score loses without it")
    if changed := [item["item_id"] for item in data["items"] if item["is_changed"]]:
        print_line(f"Changed since the run, so that its score was another: {', '.join(changed)}.")
    print_line(_verdict(data["items"]))


def _verdict(items: list[dict[str, Any]]) -> str:
    compared = [item for item in items if item["agreement"] is not None]
    if not compared:
        return (
            "There is nothing to compare: no item has two fields with different attention weights."
        )
    agree = [item["item_id"] for item in compared if item["is_explanation"]]
    others = [item["item_id"] for item in compared if not item["is_explanation"]]
    lines = []
    if agree:
        lines.append(f"Weights agree with the effects in rank order: {', '.join(agree)}.")
    if others:
        lines.append(f"Weights are no explanation, read the effects: {', '.join(others)}.")
    return "\n".join(lines)
