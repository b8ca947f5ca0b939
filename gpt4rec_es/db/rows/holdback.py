"""Statements on the users of a run that a holdback gives other lists."""

from sqlalchemy import Connection, text

from gpt4rec_es.options.holdback import Holdback

# A number from 0 to 1 that depends on key and user id alone: the first 32 bits of a SHA-256.
_DRAWN = """
    SELECT u.user_no, ('x' || substr(encode(
        sha256(convert_to(:key || ':' || u.user_id, 'UTF8')), 'hex'), 1, 8)
        )::bit(32)::bigint / 4294967296.0 AS drawn
    FROM run_users AS r JOIN users AS u USING (user_no) WHERE r.run_no = :run_no
"""


def freeze_holdback(connection: Connection, run_no: int, holdback: Holdback) -> int:
    """Store the arm of each user that the holdback takes; return their number."""
    names = [name for name, _ in holdback.shares]
    ends: list[float] = []
    for _, share in holdback.shares:
        ends.append(share + (ends[-1] if ends else 0.0))
    return connection.execute(
        text(f"""
        INSERT INTO holdback_users (run_no, user_no, arm)
        SELECT :run_no, d.user_no, (
            SELECT a.arm FROM unnest(cast(:arms AS text[]), cast(:ends AS float8[]))
                AS a(arm, upto)
            WHERE d.drawn < a.upto ORDER BY a.upto LIMIT 1)
        FROM ({_DRAWN}) AS d WHERE d.drawn < :total ORDER BY d.user_no
        """),  # noqa: S608 - a constant
        {
            "run_no": run_no,
            "key": holdback.key,
            "arms": names,
            "ends": ends,
            "total": ends[-1],
        },
    ).rowcount
