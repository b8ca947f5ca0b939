"""What nights' work came to: counts that stay when the shards they come from are pruned.

While a run goes on, each shard that is done carries its own counts: a common row would make workers
wait for each other's transactions. They are summed once, when the run ends. What happens seldom,
errors and take-overs of leases, is counted here at once.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Count:
    """How often, in one stage; ``name`` is prompts, tokens ...; ``detail`` an outcome or error."""

    stage: str
    name: str
    detail: str
    n: int


# A run may end twice, as one does that is rolled back: the first end counts.
_KEEP = text("""
INSERT INTO run_counts (run_no, stage, name, detail, n)
SELECT run_no, stage, split_part(key, ':', 1), split_part(key, ':', 2), sum(value::bigint)
FROM shards CROSS JOIN jsonb_each_text(counts)
WHERE run_no = :run_no AND counts IS NOT NULL GROUP BY 1, 2, 3, 4
ON CONFLICT DO NOTHING
""")


def keep(connection: Connection, run_no: int) -> None:
    """Sum what the run's shards counted, in the transaction that ends the run."""
    connection.execute(_KEEP, {"run_no": run_no})


def add_one(connection: Connection, run_no: int, stage: str, name: str, detail: str = "") -> None:
    """Count one more of something rare."""
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
    """Return what the run's work came to, until now if it is under way."""
    return [Count(*row) for row in connection.execute(_OF_RUN, {"run_no": run_no})]


def totals(connection: Connection) -> list[Count]:
    """Return the counts of all runs together, those under way included; they only ever grow."""
    return [Count(*row) for row in connection.execute(_TOTALS)]
