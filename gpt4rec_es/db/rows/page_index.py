"""Readings of the pages that list nights and compare two runs."""

from gpt4rec_es.db.rows.readings import Reading

RUNS = Reading("""
SELECT r.logical_date, r.run_id, r.run_state AS state, r.cohort_size AS users,
    round(m.measured_value * m.measured_count)::bigint AS fallbacks, m.measured_count AS places,
    c.recommended_item_count AS items, c.given_recommendation_count AS recommendations,
    (SELECT count(*) FROM analytics.gate_results AS g
     WHERE g.run_id = r.run_id AND NOT g.has_passed) AS failed_gates,
    r.duration_s AS seconds
FROM analytics.runs AS r
LEFT JOIN analytics.daily_coverage AS c ON c.run_id = r.run_id AND c.coverage_of = 'all'
LEFT JOIN analytics.run_measures AS m ON m.run_id = r.run_id AND m.measure = 'fallback_places'
ORDER BY r.logical_date DESC, r.attempt DESC LIMIT :runs
""")
# Lists of two runs, of users that neither holds back; reads the partitions of all stored runs.
TWO_RUNS = Reading("""
SELECT count(*) AS compared,
    count(*) FILTER (WHERE kept < now_items OR kept < before_items) AS changed,
    coalesce(sum(kept), 0)::bigint AS kept,
    coalesce(sum(now_items - kept), 0)::bigint AS gained,
    coalesce(sum(before_items - kept), 0)::bigint AS lost
FROM (
    SELECT count(n.item_id) AS now_items, count(o.item_id) AS before_items,
        count(*) FILTER (WHERE n.item_id = o.item_id) AS kept
    FROM (SELECT user_id, item_id FROM analytics.recommendations
          WHERE run_id = :run_id AND holdback_arm IS NULL) AS n
    FULL JOIN (SELECT user_id, item_id FROM analytics.recommendations
               WHERE run_id = :other_id AND holdback_arm IS NULL) AS o USING (user_id, item_id)
    GROUP BY user_id
) AS lists
WHERE now_items > 0 AND before_items > 0
""")
_MOVED = """
SELECT query AS name, moved.before, moved.now, moved.change
FROM (
    SELECT query_id, coalesce(before.query_user_count, 0) AS before,
        coalesce(now.query_user_count, 0) AS now,
        coalesce(now.query_user_count, 0) - coalesce(before.query_user_count, 0) AS change
    FROM (SELECT query_id, query_user_count FROM analytics.daily_queries
          WHERE run_id = :run_id) AS now
    FULL JOIN (SELECT query_id, query_user_count FROM analytics.daily_queries
               WHERE run_id = :other_id) AS before USING (query_id)
    WHERE coalesce(now.query_user_count, 0) > coalesce(before.query_user_count, 0)
    ORDER BY change DESC, query_id LIMIT :few
) AS moved
JOIN analytics.queries USING (query_id)
ORDER BY change DESC, query_id
"""
GAINED_QUERIES = Reading(_MOVED)
LOST_QUERIES = Reading(_MOVED.replace("0) > coal", "0) < coal").replace("change DESC", "change"))
_TWO_ITEMS = """
SELECT coalesce(now.item_id, before.item_id) AS item_id, coalesce(now.title, before.title) AS name,
    coalesce(before.users, 0) AS before, coalesce(now.users, 0) AS now,
    coalesce(now.users, 0) - coalesce(before.users, 0) AS change
FROM (SELECT item_id, title, recommended_user_count AS users FROM analytics.daily_items
      WHERE run_id = :run_id) AS now
FULL JOIN (SELECT item_id, title, recommended_user_count AS users FROM analytics.daily_items
           WHERE run_id = :other_id) AS before USING (item_id)
WHERE coalesce(now.users, 0) > coalesce(before.users, 0)
ORDER BY change DESC, item_id LIMIT :few
"""
GAINED_ITEMS = Reading(_TWO_ITEMS)
LOST_ITEMS = Reading(
    _TWO_ITEMS.replace("users, 0) > coal", "users, 0) < coal").replace("change DESC", "change")
)
TWO_ARMS = Reading("""
SELECT holdback_arm AS arm,
    coalesce(sum(held_back_user_count) FILTER (WHERE run_id = :other_id), 0)::bigint AS before,
    coalesce(sum(held_back_user_count) FILTER (WHERE run_id = :run_id), 0)::bigint AS now,
    (coalesce(sum(held_back_user_count) FILTER (WHERE run_id = :run_id), 0)
        - coalesce(sum(held_back_user_count) FILTER (WHERE run_id = :other_id), 0))::bigint
        AS change
FROM analytics.holdback_arms WHERE run_id IN (:run_id, :other_id)
GROUP BY holdback_arm ORDER BY holdback_arm
""")
TWO_SOURCES = Reading("""
SELECT work_detail AS source,
    coalesce(sum(work_count) FILTER (WHERE run_id = :other_id), 0)::bigint AS before,
    coalesce(sum(work_count) FILTER (WHERE run_id = :run_id), 0)::bigint AS now,
    (coalesce(sum(work_count) FILTER (WHERE run_id = :run_id), 0)
        - coalesce(sum(work_count) FILTER (WHERE run_id = :other_id), 0))::bigint AS change
FROM analytics.run_work
WHERE run_id IN (:run_id, :other_id) AND stage = 'merge' AND work_name = 'listed'
GROUP BY work_detail ORDER BY now DESC, source
""")
