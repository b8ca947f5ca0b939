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
    print_line(_verdict(data["agreement"], is_explanation=data["is_explanation"]))


def _verdict(agreement: float | None, *, is_explanation: bool) -> str:
    if agreement is None:
        return (
            "There is nothing to compare: no item has two fields with different attention weights."
        )
    measured = f"rank correlation {agreement:.2f}"
    if is_explanation:
        return f"The attention weights agree with the effects ({measured})."
    return (
        f"The attention weights are no explanation: they do not agree with the effects ({measured})"
        ". Read the effects."
    )
