"""Reasons from the body of an error response, on one line."""

from typing import Any


def is_disk_full(body: Any) -> bool:
    """Return whether an error body, or the error of one item, is the flood-stage disk block."""
    error = body.get("error", body) if isinstance(body, dict) else body
    text = str(error)
    return "cluster_block_exception" in text and (
        "flood-stage" in text or "read-only / allow delete" in text
    )


def reason_of(body: Any) -> str:
    """Return the most specific reason in an error body (or in one item's error), on one line."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if error is None:
        return "no reason given"
    if not isinstance(error, dict):
        return " ".join(str(error).split())[:300]
    causes = error.get("root_cause") or [error]
    cause = causes[0] if isinstance(causes[0], dict) else error
    deepest = error
    while isinstance(deepest.get("caused_by"), dict):
        deepest = deepest["caused_by"]
    reasons = dict.fromkeys(
        str(part.get("reason") or part.get("type") or "no reason given")
        for part in (cause, deepest)
    )
    return " ".join("; ".join(reasons).split())[:300]
