"""Readings of pages: what is recommended, and the cards of users."""

from gpt4rec_es.db.rows.readings import Reading

COVERAGE = Reading("""
SELECT coverage_value AS name, offered_item_count AS offered, recommended_item_count AS recommended,
    given_recommendation_count AS recommendations
FROM analytics.daily_coverage
WHERE run_id = :run_id AND coverage_of = 'all'
""")
BRANDS = Reading("""
SELECT coverage_value AS name, offered_item_count AS offered, recommended_item_count AS recommended,
    given_recommendation_count AS recommendations
FROM analytics.daily_coverage
WHERE run_id = :run_id AND coverage_of = 'brand' AND coverage_value IS NOT NULL
ORDER BY recommendations DESC, name LIMIT :top
""")
CATEGORIES = Reading(BRANDS.sql.replace("'brand'", "'category'"))
# An array is known before the lists are read, so items are chosen before they are joined.
# latest_recommendations reads one partition; recommendations may read those of all stored runs.
_ITEMS = """
WITH top AS (
    SELECT item_id, title, recommended_user_count, by_query_count
    FROM analytics.daily_items WHERE run_id = :run_id
    ORDER BY recommended_user_count DESC, item_id LIMIT :items
), led AS (
    SELECT item_id, query_rank IS NOT NULL AS by_query,
        CASE WHEN query_rank IS NULL THEN from_title ELSE query END AS text, count(*) AS n
    FROM analytics.recommendations
    WHERE run_id = :run_id AND item_id = ANY(ARRAY(SELECT item_id FROM top))
    GROUP BY 1, 2, 3
)
SELECT item_id, title, recommended_user_count AS users, by_query_count AS by_query,
    ARRAY(SELECT text FROM led WHERE led.item_id = top.item_id AND led.by_query
          ORDER BY n DESC, text LIMIT :examples) AS queries,
    ARRAY(SELECT text FROM led
          WHERE led.item_id = top.item_id AND NOT led.by_query AND text IS NOT NULL
          ORDER BY n DESC, text LIMIT :examples) AS purchases
FROM top ORDER BY users DESC, item_id
"""
ITEMS = Reading(_ITEMS)
PUBLISHED_ITEMS = Reading(
    _ITEMS.replace("analytics.recommendations", "analytics.latest_recommendations")
)
# 20 groups of recommended items with equally many items, the most recommended first.
CONCENTRATION = Reading("""
SELECT part, count(*) AS items, sum(users)::bigint AS recommendations
FROM (
    SELECT recommended_user_count AS users,
        ntile(20) OVER (ORDER BY recommended_user_count DESC, item_id) AS part
    FROM analytics.daily_items WHERE run_id = :run_id
) AS shown
GROUP BY part ORDER BY part
""")
# Users of this run with a history short enough for a card, in an order that stays the same.
EXAMPLE_USERS = Reading("""
SELECT o.user_id
FROM (SELECT user_id FROM analytics.users ORDER BY md5(user_id), user_id LIMIT :tried) AS u
CROSS JOIN LATERAL (
    SELECT user_id FROM analytics.user_outcomes AS o
    WHERE o.run_id = :run_id AND o.user_id = u.user_id AND o.outcome = 'ok'
      AND o.bought_item_count BETWEEN 3 AND 12
) AS o
ORDER BY md5(o.user_id), o.user_id LIMIT :cards
""")
USER = Reading("""
SELECT run_id, user_id, outcome, bought_item_count AS bought, prompt_item_count AS in_prompt,
    query_count AS queries, found_count AS found, recommendation_count AS recommendations,
    short_reason, holdback_arm AS arm
FROM analytics.user_outcomes WHERE run_id = :run_id AND user_id = :user_id
""")
HISTORY = Reading("""
SELECT item_id, title, max(purchased_at) AS purchased_at
FROM analytics.purchases WHERE user_id = :user_id
GROUP BY item_id, title ORDER BY purchased_at DESC NULLS LAST, item_id LIMIT :history
""")
USER_QUERIES = Reading("""
SELECT query_rank AS rank, query, beam_score AS score
FROM analytics.generated_queries WHERE run_id = :run_id AND user_id = :user_id
ORDER BY query_rank
""")
USER_LIST = Reading("""
SELECT rank, item_id, title, source, query, query_rank, hit_rank, from_title, promoted_by
FROM analytics.recommendations WHERE run_id = :run_id AND user_id = :user_id
ORDER BY rank
""")
