"""The card of a user: purchases, the queries that these led to, and the list with reasons.

It shows the ids that analysts see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import page_lists as rows
from gpt4rec_es.db.rows.readings import Value, read
from gpt4rec_es.errors import UsageError

_HISTORY = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One user in one run. Each part has the SQL that gives it.

    outcome: row of user_outcomes; history: newest purchase first; queries: with the ranks of the
    items that they found; listed: items with a reason each.
    """

    outcome: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    queries: tuple[Mapping[str, Any], ...]
    listed: tuple[Mapping[str, Any], ...]
    views: tuple[str, ...]
    sql: str


def load_card(connection: Connection, run_id: str, user_id: str) -> Card:
    """Return the card of a user, by the id that analysts see.

    Raises:
        UsageError: the run has no such user.
    """
    values: dict[str, Value] = {"run_id": run_id, "user_id": user_id, "history": _HISTORY}
    user = read(connection, rows.USER, values)
    if not user.rows:
        raise UsageError(
            f"Run {run_id} has no user {user_id!r}.",
            "Use an id that analysts see: with pseudonyms switched on, not the shop's own.",
        )
    history, queries, listed = (
        read(connection, reading, values)
        for reading in (rows.HISTORY, rows.USER_QUERIES, rows.USER_LIST)
    )
    items = [{**row, "reason": reason(row)} for row in listed.dicts()]
    parts = (user, history, queries, listed)
    return Card(
        user.dicts()[0],
        tuple(history.dicts()),
        tuple({**row, "found": _found(row["rank"], items)} for row in queries.dicts()),
        tuple(items),
        tuple(dict.fromkeys(view for part in parts for view in part.views)),
        ";\n\n".join(part.sql for part in parts) + ";",
    )


def _found(query_rank: int, items: list[dict[str, Any]]) -> list[int]:
    return [item["rank"] for item in items if item["query_rank"] == query_rank]


def reason(row: Mapping[str, Any]) -> str:
    """Return why an item is in a list, as the beginning of a sentence."""
    hit = f"hit {row['hit_rank']}" if row["hit_rank"] else ""
    reasons = {
        "queries": f"{hit} of query {row['query_rank']}",
        "backfill": f"deeper {hit} of query {row['query_rank']}",
        "co_purchase": f"bought by buyers of {row['from_title'] or 'a purchase'}",
        "history_titles": f"like {row['from_title'] or 'a purchase'}",
        "sequence": f"bought after purchases that end with {row['from_title'] or 'a purchase'}",
        "query_vectors": f"near query {row['query_rank']} in meaning",
        "title_vectors": f"near {row['from_title'] or 'a purchase'} in meaning",
        "last_title": "fallback: like the newest purchase",
        "popular": "fallback: popular",
        "pinned": f"put first by {row['promoted_by']}",
    }
    found = reasons.get(row["source"], row["source"])
    moved = row["promoted_by"] and row["source"] != "pinned"
    return f"{found}; moved up by {row['promoted_by']}" if moved else found
