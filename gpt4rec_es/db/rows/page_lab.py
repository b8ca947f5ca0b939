"""Readings of the pages of evaluations and of trials."""

from gpt4rec_es.db.rows.readings import Reading


def _natural(column: str) -> str:
    """Return an order of texts in which "history 5-9" is before "history 10-19"."""
    return (
        f"substring({column} FROM '^[^0-9]*'), substring({column} FROM '[0-9]+')::integer, {column}"
    )


EVALUATIONS = Reading("""
SELECT evaluation_id, method, split_name, part, evaluated_generator_name AS generator,
    evaluated_recipe_name AS recipe, eval_user_count AS users
FROM analytics.evaluations WHERE evaluation_id = ANY(:ids) ORDER BY evaluation_id
""")
METRICS = Reading("""
SELECT metric_name FROM analytics.evaluation_metrics
WHERE evaluation_id = ANY(:ids) AND user_segment = 'all'
GROUP BY metric_name
ORDER BY array_position(ARRAY['ndcg', 'recall', 'hit_rate', 'mrr'], metric_name), metric_name
""")
METRIC = Reading("""
SELECT list_length AS k, evaluation_id, method, metric_mean AS mean, metric_low AS mean_low,
    metric_high AS mean_high, metric_user_count AS users
FROM analytics.evaluation_metrics JOIN analytics.evaluations USING (evaluation_id)
WHERE evaluation_id = ANY(:ids) AND user_segment = 'all' AND metric_name = :metric
ORDER BY k, mean DESC, evaluation_id LIMIT :rows
""")
SEGMENTS = Reading(f"""
SELECT user_segment AS segment, evaluation_id, method, metric_mean AS mean, metric_low AS mean_low,
    metric_high AS mean_high, metric_user_count AS users
FROM analytics.evaluation_metrics JOIN analytics.evaluations USING (evaluation_id)
WHERE evaluation_id = ANY(:ids) AND user_segment <> 'all' AND metric_name = :metric
  AND list_length = (SELECT min(list_length) FROM analytics.evaluation_metrics
                     WHERE evaluation_id = ANY(:ids) AND metric_name = :metric
                       AND list_length >= :k)
ORDER BY {_natural("user_segment")}, mean DESC, evaluation_id LIMIT :rows
""")  # noqa: S608 - a constant is put in
# Of users with lists by both, so each difference is of one user; a normal interval of their mean.
# A window instead of a join, which is planned badly while tables have no statistics.
NDCG_DIFFERENCES = Reading("""
SELECT k, evaluation_id, method, mean, mean - margin AS mean_low, mean + margin AS mean_high, users
FROM (
    SELECT k, evaluation_id, count(*) AS users, avg(moved) AS mean,
        1.96 * stddev_samp(moved) / sqrt(count(*)) AS margin
    FROM (
        SELECT list_length AS k, evaluation_id,
            user_ndcg - max(user_ndcg) FILTER (WHERE evaluation_id = :first)
                OVER (PARTITION BY user_id, list_length) AS moved
        FROM analytics.evaluation_users WHERE evaluation_id = ANY(:ids)
    ) AS of_users
    WHERE evaluation_id <> :first AND moved IS NOT NULL
    GROUP BY k, evaluation_id
) AS differences
JOIN analytics.evaluations USING (evaluation_id)
WHERE (split_name, part) = (SELECT split_name, part FROM analytics.evaluations
                            WHERE evaluation_id = :first)
ORDER BY k, mean DESC, evaluation_id
""")
RECALL_DIFFERENCES = Reading(NDCG_DIFFERENCES.sql.replace("user_ndcg", "user_recall"))
TRIAL = Reading("SELECT * FROM analytics.trials WHERE trial_id = :trial_id")
POINTS = Reading("""
SELECT b, k1, CASE (SELECT metric FROM analytics.trials WHERE trial_id = :trial_id)
    WHEN 'recall' THEN recall ELSE ndcg END AS value
FROM analytics.trial_points WHERE trial_id = :trial_id ORDER BY b DESC, k1
""")
COMPARISONS = Reading(f"""
SELECT segment, reference, segment_user_count AS users, gain AS mean, gain_low AS mean_low,
    gain_high AS mean_high, p_value
FROM analytics.trial_comparisons WHERE trial_id = :trial_id AND candidate = 'best'
ORDER BY segment <> 'all', {_natural("segment")}, reference
""")  # noqa: S608 - a constant is put in
MOVED = Reading("""
SELECT query, title, rank_before AS before, rank_after AS now
FROM analytics.trial_queries WHERE trial_id = :trial_id AND direction = :direction
ORDER BY place LIMIT :few
""")
LIST_TRIAL = Reading("SELECT * FROM analytics.list_trials WHERE trial_id = :trial_id")
LIST_SETTINGS = Reading("""
SELECT setting_number AS number, is_fitted, setting_value AS value,
    setting_num_queries AS num_queries, query_decay, query_hits, candidates, history,
    history_decay, neighbours, pair_decay, pair_backward, pair_popularity, pair_damping,
    has_reranker, has_sequence, has_vectors
FROM analytics.list_trial_settings WHERE trial_id = :trial_id
ORDER BY setting_value DESC, setting_number LIMIT :rows
""")
LIST_COMPARISONS = Reading("""
SELECT compared_metric || '@' || compared_k AS metric, live_value AS live, best_value AS best,
    recipe_gain AS mean, recipe_gain_low AS mean_low, recipe_gain_high AS mean_high,
    recipe_p_value AS p_value
FROM analytics.list_trial_comparisons
WHERE trial_id = :trial_id AND compared_segment = 'all'
ORDER BY compared_metric, compared_k
""")
LIST_SEGMENTS = Reading(f"""
SELECT compared_segment AS segment, compared_users AS users, live_value AS live,
    best_value AS best, recipe_gain AS mean, recipe_gain_low AS mean_low,
    recipe_gain_high AS mean_high, recipe_p_value AS p_value
FROM analytics.list_trial_comparisons
WHERE trial_id = :trial_id AND compared_segment <> 'all'
ORDER BY {_natural("compared_segment")}
""")  # noqa: S608 - a constant is put in
LIST_CHANGES = Reading("""
SELECT coalesce(query, title, item_id) AS name, users_before AS before, users_now AS now,
    users_now - users_before AS change
FROM analytics.list_trial_changes
WHERE trial_id = :trial_id AND changed_kind = :kind AND changed_direction = :direction
ORDER BY changed_place
""")
# Recipes of this version that are shipped are no rows.
LIVE_RECIPE = Reading("""
SELECT (SELECT min(recipe_document::text)::jsonb FROM analytics.recipes
        WHERE recipe_hash = :recipe_hash) AS live, best_recipe AS best
FROM analytics.list_trials WHERE trial_id = :trial_id
""")
