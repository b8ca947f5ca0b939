"""Published nights side by side: users, fallbacks, coverage, concentration, quality and cost.

All figures are stored sums and measures, so nights whose lists are pruned are there, too.
"""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class TrendRow:
    """One published run; fractions in 0..1; None: not measured.

    fallbacks: places filled by fallbacks. coverage: items that could be recommended and were.
    top_item: lists with the most frequent item. top_query: users with the most frequent first
    query. changed: lists that differ from those published before. hit_rate_1, hit_rate_7: users
    that bought something new within these days and had it in their list; popularity_1,
    popularity_7: of the same users, popular items had it. buyers_1, buyers_7: number of these
    users. seconds: from plan to the end of its work. tokens, searches: made by the run.
    """

    run_id: str
    logical_date: dt.date
    users: int
    fallbacks: float | None
    coverage: float | None
    top_item: float | None
    top_query: float | None
    changed: float | None
    buyers_1: int | None
    hit_rate_1: float | None
    popularity_1: float | None
    buyers_7: int | None
    hit_rate_7: float | None
    popularity_7: float | None
    seconds: float
    tokens: int
    searches: int


_QUALITY = """
    SELECT d.run_no, d.age_days, d.n_users,
        max(m.n_hit_users::float8 / nullif(m.n_users, 0)) FILTER (WHERE m.method = 'published')
            AS hit_rate,
        max(m.n_hit_users::float8 / nullif(m.n_users, 0)) FILTER (WHERE m.method = 'popularity')
            AS popularity
    FROM (SELECT DISTINCT ON (run_no, age_days) * FROM quality_days
          WHERE run_no IN (SELECT run_no FROM nights)
          ORDER BY run_no, age_days, measured_on DESC) AS d
    JOIN quality_methods AS m USING (run_no, age_days, measured_on)
    GROUP BY d.run_no, d.age_days, d.n_users
"""
_TREND = text(f"""
WITH nights AS (
    SELECT * FROM runs WHERE kind = :kind AND state = 'published'
    ORDER BY logical_date DESC, attempt DESC LIMIT :most
), measured AS (
    SELECT run_no, max(value) FILTER (WHERE measure = 'fallback_places') AS fallbacks,
        max(value) FILTER (WHERE measure = 'top_item_lists') AS top_item,
        1 - max(value) FILTER (WHERE measure = 'equal_lists') AS changed
    FROM run_measures WHERE run_no IN (SELECT run_no FROM nights) GROUP BY run_no
), worked AS (
    SELECT run_no, sum(n) FILTER (WHERE name = 'tokens') AS tokens,
        sum(n) FILTER (WHERE name = 'searches') AS searches
    FROM run_counts WHERE run_no IN (SELECT run_no FROM nights) GROUP BY run_no
), quality AS ({_QUALITY})
SELECT r.run_id, r.logical_date, r.cohort_size, m.fallbacks,
    c.n_recommended_items::float8 / nullif(c.n_items, 0), m.top_item,
    r.top_first_query_fraction::float8, m.changed,
    a.n_users, a.hit_rate, a.popularity, b.n_users, b.hit_rate, b.popularity,
    coalesce(r.work_s, extract(epoch FROM r.finished_at - r.planned_at))::float8,
    coalesce(w.tokens, 0)::bigint, coalesce(w.searches, 0)::bigint
FROM nights AS r
LEFT JOIN measured AS m USING (run_no)
LEFT JOIN worked AS w USING (run_no)
LEFT JOIN daily_coverage AS c ON c.run_no = r.run_no AND c."of" = 'all'
LEFT JOIN quality AS a ON a.run_no = r.run_no AND a.age_days = 1
LEFT JOIN quality AS b ON b.run_no = r.run_no AND b.age_days = 7
ORDER BY r.logical_date DESC, r.attempt DESC
""")  # noqa: S608 - a constant


def load_trend(connection: Connection, kind: str, most: int) -> list[TrendRow]:
    """Return the newest ``most`` published runs, newest first."""
    return [TrendRow(*row) for row in connection.execute(_TREND, {"kind": kind, "most": most})]
