"""Readings of the page of a night: what its queries say about demand.

Dates are those of daily sums, so a page can be made again after the lists were pruned.
"""

from gpt4rec_es.db.rows.readings import Reading

QUERIES = Reading("""
WITH nights AS (
    SELECT logical_date FROM analytics.daily_coverage
    WHERE coverage_of = 'all' AND logical_date <= :logical_date
    ORDER BY logical_date DESC LIMIT :nights
), top AS (
    SELECT query_id, query, query_user_count, query_hit_count, found_recommendation_count
    FROM analytics.daily_queries WHERE run_id = :run_id
    ORDER BY query_user_count DESC, query LIMIT :top
)
SELECT query, query_user_count AS users,
    ARRAY(SELECT coalesce((SELECT d.query_user_count FROM analytics.daily_queries AS d
                           WHERE d.query_id = top.query_id
                             AND d.logical_date = nights.logical_date), 0)
          FROM nights ORDER BY logical_date) AS trend,
    query_hit_count AS hits, found_recommendation_count AS found
FROM top ORDER BY users DESC, query
""")
# Queries of two dates; a query that fewer users have than the minimum counts as none. Numbers are
# joined, not texts, which are long.
_TWO_DATES = """
FROM (SELECT query_id, query_user_count FROM analytics.daily_queries
      WHERE logical_date = :logical_date) AS now
FULL JOIN (SELECT query_id, query_user_count FROM analytics.daily_queries
           WHERE logical_date = :previous_date) AS before USING (query_id)
"""
QUERY_CHANGES = Reading(f"""
SELECT count(now.query_user_count) AS queries_now, count(before.query_user_count) AS queries_before,
    count(*) FILTER (WHERE before.query_user_count IS NULL) AS new_queries,
    count(*) FILTER (WHERE now.query_user_count IS NULL) AS gone_queries
{_TWO_DATES.strip()}
""")
_MOVED = f"""
SELECT query, moved.before, moved.now, moved.change
FROM (
    SELECT query_id, coalesce(before.query_user_count, 0) AS before,
        coalesce(now.query_user_count, 0) AS now,
        coalesce(now.query_user_count, 0) - coalesce(before.query_user_count, 0) AS change
    {_TWO_DATES.strip()}
    WHERE coalesce(now.query_user_count, 0) > coalesce(before.query_user_count, 0)
    ORDER BY change DESC, query_id LIMIT :few
) AS moved
JOIN analytics.queries USING (query_id)
ORDER BY change DESC, query_id
"""  # noqa: S608 - a constant is put in
RISING = Reading(_MOVED)
FALLING = Reading(_MOVED.replace("0) > coal", "0) < coal").replace("change DESC", "change"))
WITHOUT_HITS = Reading("""
SELECT g.query, g.gap_user_count AS users, g.example_titles AS titles,
    ARRAY(SELECT q.user_id FROM analytics.generated_queries AS q
          WHERE q.run_id = :run_id AND q.query_id = g.query_id
          ORDER BY q.user_id LIMIT :examples) AS user_ids
FROM (SELECT * FROM analytics.daily_gaps WHERE run_id = :run_id
      ORDER BY gap_user_count DESC, query LIMIT :few) AS g
ORDER BY g.gap_user_count DESC, g.query
""")
# Among the most frequent queries: words of all queries of a large night would take minutes. An
# array is known before hits are read, so only those of these queries are.
WEAK = Reading("""
WITH frequent AS MATERIALIZED (
    SELECT query_id, query, query_user_count FROM analytics.daily_queries
    WHERE run_id = :run_id AND query_hit_count > 0
    ORDER BY query_user_count DESC, query LIMIT :frequent
), hits AS (
    SELECT f.query_id, f.query, f.query_user_count, h.title,
        tsvector_to_array(to_tsvector('simple', f.query)) AS words,
        tsvector_to_array(to_tsvector('simple', h.title)) AS title_words
    FROM analytics.runs AS r CROSS JOIN frequent AS f
    JOIN analytics.query_hits AS h ON h.query_id = f.query_id AND h.hit_rank = 1
        AND h.index_name = r.index_name AND h.minimum_should_match = r.minimum_should_match
    WHERE r.run_id = :run_id AND h.query_id = ANY(ARRAY(SELECT query_id FROM frequent))
), matches AS (
    SELECT *, (SELECT count(*) FROM unnest(words) AS word
               WHERE word = ANY(title_words)) AS matched
    FROM hits
), weak AS MATERIALIZED (
    SELECT * FROM matches WHERE matched * 2 < cardinality(words)
    ORDER BY query_user_count DESC, query LIMIT :few
)
SELECT w.query, w.query_user_count AS users, w.matched, cardinality(w.words) AS words,
    w.title AS best,
    ARRAY(SELECT q.user_id FROM analytics.generated_queries AS q
          WHERE q.run_id = :run_id AND q.query_id = w.query_id
          ORDER BY q.user_id LIMIT :examples) AS user_ids
FROM weak AS w
ORDER BY w.query_user_count DESC, w.query
""")
