"""Reads of the inputs that a run froze of one user; `gpt4rec why` shows them."""

import datetime as dt
from typing import LiteralString, NamedTuple

from sqlalchemy import Connection, text


class PromptItem(NamedTuple):
    """An item with its title in a prompt. bought_at: last purchase up to the cut-off, or None."""

    item_id: str
    title: str | None
    bought_at: dt.datetime | None


def load_prompt_items(
    connection: Connection, run_no: int, user_no: int, history_version: int
) -> list[PromptItem]:
    """Return the items whose titles are in a user's frozen prompt, oldest first."""
    return _frozen_items(connection, run_no, user_no, history_version, "u.item_nos", "h.place")


def load_newest_items(
    connection: Connection, run_no: int, user_no: int, history_version: int
) -> list[PromptItem]:
    """Return the newest purchases that a run froze of a user, oldest first."""
    column, order = "u.newest_item_nos", "h.place DESC"
    return _frozen_items(connection, run_no, user_no, history_version, column, order)


def _frozen_items(
    connection: Connection,
    run_no: int,
    user_no: int,
    history_version: int,
    column: LiteralString,
    order: LiteralString,
) -> list[PromptItem]:
    found = connection.execute(
        text(f"""
        SELECT i.item_id, i.title, x.bought_at
        FROM run_users AS u
        CROSS JOIN unnest({column}) WITH ORDINALITY AS h(item_no, place)
        JOIN items AS i USING (item_no)
        LEFT JOIN LATERAL (
            SELECT max(event_at) AS bought_at FROM interactions
            WHERE user_no = u.user_no AND item_no = h.item_no AND version <= :history_version
        ) AS x ON true
        WHERE u.run_no = :run_no AND u.user_no = :user_no ORDER BY {order}
        """),  # noqa: S608 - literals of this module
        {"run_no": run_no, "user_no": user_no, "history_version": history_version},
    )
    return [PromptItem(*row) for row in found]


def load_prompt(connection: Connection, prompt_no: int | None) -> str | None:
    """Return the text of a prompt; None: the user has none, or it was deleted."""
    found = connection.execute(
        text("SELECT text FROM prompts WHERE prompt_no = :prompt_no"), {"prompt_no": prompt_no}
    ).scalar_one_or_none()
    return None if found is None else str(found)
