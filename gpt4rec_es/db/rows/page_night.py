"""Readings of the page of a night: its run, its users and lists, its stages and their work."""

from gpt4rec_es.db.rows.readings import Reading

# The published run; a page of another run names it.
PUBLISHED = Reading("SELECT run_id FROM analytics.runs WHERE is_published")
RUN = Reading("SELECT * FROM analytics.runs WHERE run_id = :run_id")
# One row per date: daily sums stay when lists are pruned.
NIGHTS = Reading("""
SELECT c.logical_date, c.run_id, r.cohort_size AS users, r.duration_s AS seconds,
    c.recommended_item_count AS items, c.offered_item_count AS offered,
    c.given_recommendation_count AS recommendations
FROM analytics.daily_coverage AS c JOIN analytics.runs AS r USING (run_id)
WHERE c.coverage_of = 'all' AND c.logical_date <= :logical_date
ORDER BY c.logical_date DESC LIMIT :nights
""")
OUTCOMES = Reading("""
SELECT work_detail AS outcome, work_count AS users
FROM analytics.run_work
WHERE run_id = :run_id AND stage = 'merge' AND work_name = 'users'
ORDER BY users DESC, outcome
""")
SOURCES = Reading("""
SELECT work_detail AS source, work_count AS recommendations
FROM analytics.run_work
WHERE run_id = :run_id AND stage = 'merge' AND work_name = 'listed'
ORDER BY recommendations DESC, source
""")
LENGTHS = Reading("""
SELECT listed_item_count AS items, is_full_list AS is_full, list_user_count AS users
FROM analytics.list_lengths WHERE run_id = :run_id ORDER BY listed_item_count DESC
""")
HOLDBACK = Reading("""
SELECT holdback_arm AS arm, held_back_user_count AS users, held_back_place_count AS places
FROM analytics.holdback_arms WHERE run_id = :run_id ORDER BY arm
""")
# A share with its Wilson interval. Arms are random groups, so their differences are effects.
ARMS = Reading("""
SELECT logical_date, days, arm, share AS buying,
    (share + 1.9208 / users - 1.96 * sqrt((share * (1 - share) + 0.9604 / users) / users))
        / (1 + 3.8416 / users) AS buying_low,
    (share + 1.9208 / users + 1.96 * sqrt((share * (1 - share) + 0.9604 / users) / users))
        / (1 + 3.8416 / users) AS buying_high,
    users, bought, hits
FROM (
    SELECT logical_date, list_age_days AS days, arm, arm_user_count AS users,
        arm_buyer_count::float8 / arm_user_count AS share, arm_bought_count AS bought,
        arm_hit_user_count AS hits
    FROM analytics.night_quality_arms
    WHERE arm_user_count > 0 AND logical_date <= :logical_date
) AS shares
ORDER BY logical_date DESC, days, arm LIMIT :items
""")
STAGES = Reading("""
SELECT stage, member_count AS members, shard_count AS shards, stage_duration_s AS seconds
FROM analytics.run_stages WHERE run_id = :run_id ORDER BY stage_finished_at, stage
""")
COST = Reading("""
SELECT
    (SELECT sum(work_count) FROM analytics.run_work
     WHERE run_id = :run_id AND work_name = 'tokens')::bigint AS tokens,
    (SELECT sum(work_count) FROM analytics.run_work
     WHERE run_id = :run_id AND stage = 'generate' AND work_name = 'members')::bigint AS prompts,
    (SELECT sum(work_count) FROM analytics.run_work
     WHERE run_id = :run_id AND stage = 'search' AND work_name = 'searches')::bigint AS searches,
    (SELECT count(*) FROM analytics.daily_queries
     WHERE run_id = :run_id AND query_hit_count IS NOT NULL) AS searched_texts
""")
CHANGES = Reading("""
SELECT previous_run_id, compared_user_count AS compared, changed_user_count AS changed,
    kept_recommendation_count AS kept, gained_recommendation_count AS gained,
    lost_recommendation_count AS lost
FROM analytics.list_changes WHERE run_id = :run_id
""")
# The last measurement of each night and age of its lists, beside popular items on the same users.
QUALITY = Reading("""
SELECT p.logical_date, p.list_age_days AS days, p.is_complete, p.buyer_count AS buyers,
    p.hit_rate AS rate, p.hit_rate_low AS rate_low, p.hit_rate_high AS rate_high,
    b.hit_rate AS popular, b.hit_rate_gain AS gain, b.hit_rate_gain_low AS gain_low,
    b.hit_rate_gain_high AS gain_high
FROM analytics.night_quality AS p
JOIN analytics.night_quality AS b USING (run_id, list_age_days, measured_on)
WHERE p.list_kind = 'published' AND b.list_kind = 'popularity' AND p.is_last_measurement
  AND p.logical_date <= :logical_date
ORDER BY p.logical_date DESC, days LIMIT :nights
""")
# Of the newest night and age that were measured, over users that bought something new.
BOUGHT = Reading("""
SELECT p.part_value AS source, p.part_count AS places, p.part_hit_count AS bought,
    p.part_hit_fraction AS rate, p.logical_date, p.list_age_days AS days
FROM analytics.night_quality_parts AS p
JOIN (SELECT run_id, list_age_days FROM analytics.night_quality
      WHERE list_kind = 'published' AND is_last_measurement AND is_complete AND buyer_count > 0
        AND logical_date <= :logical_date
      ORDER BY logical_date DESC, list_age_days LIMIT 1) AS newest USING (run_id, list_age_days)
WHERE p.part_kind = 'source'
ORDER BY bought DESC, places DESC, source
""")
GATES = Reading("""
SELECT gate, has_passed, is_blocking, measured, required,
    CASE WHEN NOT has_passed THEN failure_reason END AS reason
FROM analytics.gate_results WHERE run_id = :run_id
ORDER BY has_passed, is_blocking DESC, importance, gate
""")
