"""Counts of the work of runs, which stay when the run's shards are pruned.

While a run is unfinished, each done shard has its own counts: a common row would make workers wait
for each other's transactions. They are summed when the run ends. Rare events (errors, take-overs of
leases) are counted here at once.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Count:
    """One count of one stage; ``name`` is prompts, tokens ...; ``detail`` an outcome or error."""

    stage: str
    name: str
    detail: str
    n: int


# A run may end twice (published, then rolled back): only the first end is counted.
_KEEP = text("""
INSERT INTO run_counts (run_no, stage, name, detail, n)
SELECT run_no, stage, split_part(key, ':', 1), split_part(key, ':', 2), sum(value::bigint)
FROM shards CROSS JOIN jsonb_each_text(counts)
WHERE run_no = :run_no AND counts IS NOT NULL GROUP BY 1, 2, 3, 4
ON CONFLICT DO NOTHING
""")


def keep(connection: Connection, run_no: int) -> None:
    """Store the sums of the counts of a run's shards, in the transaction that ends the run."""
    connection.execute(_KEEP, {"run_no": run_no})


def add_one(connection: Connection, run_no: int, stage: str, name: str, detail: str = "") -> None:
    """Add one to the count of a rare event."""
    connection.execute(
        text("""
        INSERT INTO run_counts (run_no, stage, name, detail, n) VALUES (:run, :stage, :name, :of, 1)
        ON CONFLICT (run_no, stage, name, detail) DO UPDATE SET n = run_counts.n + 1
        """),
        {"run": run_no, "stage": stage, "name": name, "of": detail},
    )


_TOTALS = text("""
SELECT stage, name, detail, sum(n)::bigint AS n
FROM (
    SELECT stage, name, detail, n FROM run_counts
    UNION ALL
    SELECT s.stage, split_part(c.key, ':', 1), split_part(c.key, ':', 2), c.value::bigint
    FROM runs AS r JOIN shards AS s USING (run_no) CROSS JOIN jsonb_each_text(s.counts) AS c
    WHERE r.finished_at IS NULL AND s.counts IS NOT NULL
) AS counted
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")


_OF_RUN = text("""
SELECT stage, name, detail, n FROM run_counts WHERE run_no = :run_no
UNION ALL
SELECT s.stage, split_part(c.key, ':', 1), split_part(c.key, ':', 2), sum(c.value::bigint)::bigint
FROM runs AS r JOIN shards AS s USING (run_no) CROSS JOIN jsonb_each_text(s.counts) AS c
WHERE r.run_no = :run_no AND r.finished_at IS NULL AND s.counts IS NOT NULL
GROUP BY 1, 2, 3
""")


def of_run(connection: Connection, run_no: int) -> list[Count]:
    """Return the counts of a run, up to now if it is unfinished."""
    return [Count(*row) for row in connection.execute(_OF_RUN, {"run_no": run_no})]


def totals(connection: Connection) -> list[Count]:
    """Return the counts summed over all runs, unfinished ones included; they never decrease."""
    return [Count(*row) for row in connection.execute(_TOTALS)]
