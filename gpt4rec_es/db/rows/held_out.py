"""Users of a run whose last purchase is hidden: a stable sample, stored at planning."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run

# Seed of the sample: the same users in every night.
_SEED = 972_304


class HeldOut(NamedTuple):
    """A user with a hidden purchase. bought: the other purchases, each item once, newest first."""

    user_no: int
    target: int
    bought: list[int]


def choose(connection: Connection, run_no: int, most: int) -> list[int]:
    """Return at most ``most`` users of a run that bought two items or more, chosen by hash."""
    found = connection.execute(
        text("""
        SELECT user_no FROM run_users WHERE run_no = :run_no AND n_bought >= 2
        ORDER BY hashint8extended(user_no, :seed), user_no LIMIT :most
        """),
        {"run_no": run_no, "most": most, "seed": _SEED},
    )
    return list(found.scalars())


_STORE = text("""
WITH given AS (
    SELECT *, decode(prompt_hex, 'hex') AS prompt_hash, decode(last_hex, 'hex') AS last_hash
    FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS x(
        user_no int, target int, bought int[], prompt_hex text, prompt text, n_tokens int,
        last_hex text, last_text text)
), prompted AS (
    INSERT INTO prompts (prompt_hash, text, n_tokens)
    SELECT DISTINCT ON (prompt_hash) prompt_hash, prompt, n_tokens FROM given
    WHERE prompt_hash IS NOT NULL ORDER BY prompt_hash ON CONFLICT (prompt_hash) DO NOTHING
    RETURNING prompt_hash, prompt_no
), queried AS (
    INSERT INTO queries (query_hash, text)
    SELECT DISTINCT ON (last_hash) last_hash, last_text FROM given
    WHERE last_hash IS NOT NULL ORDER BY last_hash ON CONFLICT (query_hash) DO NOTHING
    RETURNING query_hash, query_no
)
INSERT INTO held_out_users
    (run_no, user_no, target_item_no, prompt_no, last_query_no, bought_item_nos)
SELECT :run_no, g.user_no, g.target, coalesce(n.prompt_no, p.prompt_no),
       coalesce(m.query_no, q.query_no), g.bought
FROM given AS g
LEFT JOIN prompted AS n USING (prompt_hash) LEFT JOIN prompts AS p USING (prompt_hash)
LEFT JOIN queried AS m ON m.query_hash = g.last_hash
LEFT JOIN queries AS q ON q.query_hash = g.last_hash
""")


def store(connection: Connection, run_no: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store users with their prompts and fallback queries; hashes are given in hex."""
    connection.execute(_STORE, {"run_no": run_no, "rows": json.dumps(list(rows))})


def load_common(connection: Connection, new: Run, old: Run) -> list[HeldOut]:
    """Return the users that both runs hold out with the same purchases, by user number.

    Their hidden item can still be recommended: the older run's build may have others.
    """
    found = connection.execute(
        text("""
        SELECT user_no, target_item_no, bought_item_nos
        FROM held_out_users AS a JOIN held_out_users AS b
            USING (user_no, target_item_no, bought_item_nos)
            JOIN items ON item_no = target_item_no AND is_active AND title IS NOT NULL
        WHERE a.run_no = :new AND b.run_no = :old ORDER BY user_no
        """),
        {"new": new.run_no, "old": old.run_no},
    )
    return [HeldOut(*row) for row in found]


def count(connection: Connection, run_no: int) -> int:
    """Return the number of users that a run holds out."""
    found = connection.execute(
        text("SELECT count(*) FROM held_out_users WHERE run_no = :run_no"), {"run_no": run_no}
    )
    return int(found.scalar_one())
