"""Statements of retention: which runs are old, and deleting their partitions and working rows."""

from typing import NamedTuple

from sqlalchemy import Connection, text

# Lists are the last, because they may stay.
PARENTS = ("run_users", "run_user_vectors", "user_outcomes", "recommendations")


class OldRun(NamedTuple):
    """A run whose lists are older than those kept."""

    run_no: int
    run_id: str


# Days for which lists stay after other lists replaced them, so that purchases can be attributed.
LISTS_DAYS = 35
_LATELY = """
    SELECT r.run_no FROM runs AS r
    WHERE r.state = 'published' AND coalesce((
        SELECT min(n.finished_at) FROM runs AS n
        WHERE n.kind = r.kind AND n.state = 'published' AND n.finished_at > r.finished_at
    ) > clock_timestamp() - make_interval(days => :days), true)
"""
# Includes runs that were marked by an interrupted prune. The lists that a kept run counts as
# recently shown are kept with it: without them it could be neither explained nor replayed.
_OLD = text(f"""
WITH ended AS (
    SELECT run_no, run_id, pruned_at, row_number() OVER (
        PARTITION BY kind, state = 'published', pruned_at IS NULL
        ORDER BY logical_date DESC, attempt DESC) AS place,
        CASE WHEN state = 'published' THEN :published ELSE :rejected END AS keep
    FROM runs WHERE finished_at IS NOT NULL AND NOT is_pinned
), lately AS (
    {_LATELY}
), old AS (
SELECT run_no, run_id, pruned_at FROM ended
WHERE (pruned_at IS NULL AND place > keep
       OR pruned_at IS NOT NULL
       AND (to_regclass('public.user_outcomes_' || run_no) IS NOT NULL
            OR to_regclass('public.recommendations_' || run_no) IS NOT NULL
            AND run_no NOT IN (SELECT run_no FROM lately)))
  AND run_no NOT IN (SELECT run_no FROM publications)
  AND run_no NOT IN (SELECT previous_run_no FROM publications WHERE previous_run_no IS NOT NULL)
)
SELECT run_no, run_id FROM old
WHERE pruned_at IS NOT NULL OR run_no NOT IN (
    SELECT cast(shown AS integer) FROM runs AS r
    CROSS JOIN jsonb_array_elements_text(r.manifest #> '{{rules,shown_runs}}') AS shown
    WHERE r.pruned_at IS NULL AND r.run_no NOT IN (SELECT run_no FROM old))
ORDER BY run_no
""")  # noqa: S608 - a constant


def was_shown_lately(connection: Connection, run_no: int) -> bool:
    """Return whether readers saw the run's lists in the last ``LISTS_DAYS`` days."""
    found = connection.execute(
        text(f"SELECT :run_no IN ({_LATELY})"),
        {"run_no": run_no, "days": LISTS_DAYS},
    )
    return bool(found.scalar_one())


def old_runs(connection: Connection, *, published: int, rejected: int) -> list[OldRun]:
    """Return the runs older than the newest N published and the newest M unpublished ones."""
    found = connection.execute(
        _OLD, {"published": published, "rejected": rejected, "days": LISTS_DAYS}
    )
    return [OldRun(*row) for row in found]


def delete_work(connection: Connection, run_no: int, *, keep_judged: bool) -> None:
    """Delete a run's working rows that are not in its partitions.

    keep_judged: keep what its lists are compared with.
    """
    judged = () if keep_judged else ("run_popular", "quality_users", "holdback_users")
    for table in ("shards", "run_titles", "run_brands", "held_out_users", *judged):
        connection.execute(
            text(f"DELETE FROM {table} WHERE run_no = :run_no"),  # noqa: S608 - names above
            {"run_no": run_no},
        )
    connection.execute(
        text("UPDATE runs SET co_purchase_set_no = NULL WHERE run_no = :run_no"),
        {"run_no": run_no},
    )


def delete_rule_items(connection: Connection, run_no: int) -> None:
    """Delete the item lists of a run's rules; the rules stay."""
    connection.execute(
        text("UPDATE run_rules SET item_nos = NULL WHERE run_no = :run_no"), {"run_no": run_no}
    )


def drop_partitions(connection: Connection, run_no: int, *, keep_lists: bool) -> None:
    """Drop a run's partitions, all or all but its lists.

    A lock time-out raises the database's own error.
    """
    connection.execute(
        text("SELECT drop_run_partitions(:run_no, :keep)"), {"run_no": run_no, "keep": keep_lists}
    )


def may_detach(connection: Connection) -> bool:
    """Return whether this role has the privileges of the tables' owner."""
    found = connection.execute(
        text(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class "
            "WHERE oid = 'public.run_users'::regclass"
        )
    )
    return bool(found.scalar_one())


def detach(connection: Connection, parent: str, run_no: int) -> None:
    """Detach a run's partition from a table of ``PARENTS`` concurrently.

    It waits for transactions that read the table and does not block new readers. After an
    interruption the next call completes it. The connection must be in autocommit; a lock time-out
    raises the database's own error.
    """
    part = f"{parent}_{run_no}"
    connection.execute(text("SET lock_timeout = '2s'"))
    try:
        pending = connection.execute(
            text("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(:part)"),
            {"part": f"public.{part}"},
        ).scalar_one_or_none()
        if pending is not None:
            how = "FINALIZE" if pending else "CONCURRENTLY"
            connection.execute(
                text(f"ALTER TABLE public.{parent} DETACH PARTITION public.{part} {how}")
            )
    finally:
        connection.execute(text("RESET lock_timeout"))
