"""Reasons of a list's rows as text, for explanations of lists and of items."""

from typing import Any

_REASONS = {
    "pinned": "pinned by {promoted_by}",
    "backfill": "backfill: hit {hit_rank} of query {query_rank} “{query}”",
    "queries": "hit {hit_rank} of query {query_rank} “{query}”",
    "co_purchase": "bought with “{from_title}”",
    "history_titles": "hit {hit_rank} for the bought title “{from_title}”",
    "sequence": "bought after this sequence{end}: place {hit_rank}",
    "query_vectors": "near query {query_rank} “{query}” (cosine {score:.2f})",
    "title_vectors": "near the bought title “{from_title}” (cosine {score:.2f})",
    "last_title": "fallback: hit {hit_rank} for the newest title “{query}”",
    "popular": "fallback: popular item",
}


_ARMS = {
    "paper": "a plain merge of its queries",
    "popularity": "popular items",
    "none": "no list",
}


def arm_note(arm: str) -> str:
    """Return what a held-back user gets."""
    return f"Held back for comparison, in arm {arm}: {_ARMS[arm]} instead of the recipe's list."


def reason_of(row: dict[str, Any]) -> str:
    """Return the reason of a row in words."""
    from_title = (row["from_item"] or {}).get("title")
    end = "" if from_title is None else f", which ends with “{from_title}”"
    reason = _REASONS[row["source"]].format(**row, from_title=from_title, end=end)
    if row["promoted_by"] and row["source"] != "pinned":
        reason += f", moved up by {row['promoted_by']}"
    return reason if row["is_active"] else f"not shown: deactivated since; was {reason}"


def fused_from(row: dict[str, Any]) -> str | None:
    """Return the fused score with the part of each source; None: nothing was fused."""
    if not row["contributions"]:
        return None
    parts = ((name, f"{value:.3f}") for name, value in row["contributions"].items())
    # Parts that are 0 as printed would only make the cell longer.
    contributions = ", ".join(f"{name} {text}" for name, text in parts if float(text))
    return f"{row['fused_score']:.3f}: {contributions}"


def left_out_because(cause: str) -> str:
    """Return why a pin lacks a place in a list: the rule that excluded its item, or no place."""
    return "the list has no place left" if cause == "no place" else f"{cause} excludes its items"
