"""Readings of the pages of evaluations and of trials."""

from gpt4rec_es.db.rows.readings import Reading

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
SEGMENTS = Reading("""
SELECT user_segment AS segment, evaluation_id, method, metric_mean AS mean, metric_low AS mean_low,
    metric_high AS mean_high, metric_user_count AS users
FROM analytics.evaluation_metrics JOIN analytics.evaluations USING (evaluation_id)
WHERE evaluation_id = ANY(:ids) AND user_segment <> 'all' AND metric_name = :metric
  AND list_length = (SELECT min(list_length) FROM analytics.evaluation_metrics
                     WHERE evaluation_id = ANY(:ids) AND metric_name = :metric
                       AND list_length >= :k)
ORDER BY segment, mean DESC, evaluation_id LIMIT :rows
""")
TRIAL = Reading("SELECT * FROM analytics.trials WHERE trial_id = :trial_id")
POINTS = Reading("""
SELECT b, k1, CASE (SELECT metric FROM analytics.trials WHERE trial_id = :trial_id)
    WHEN 'recall' THEN recall ELSE ndcg END AS value
FROM analytics.trial_points WHERE trial_id = :trial_id ORDER BY b DESC, k1
""")
COMPARISONS = Reading("""
SELECT segment, reference, segment_user_count AS users, gain AS mean, gain_low AS mean_low,
    gain_high AS mean_high, p_value
FROM analytics.trial_comparisons WHERE trial_id = :trial_id AND candidate = 'best'
ORDER BY segment <> 'all', segment, reference
""")
MOVED = Reading("""
SELECT query, title, rank_before AS before, rank_after AS now
FROM analytics.trial_queries WHERE trial_id = :trial_id AND direction = :direction
ORDER BY place LIMIT :few
""")
LIST_TRIAL = Reading("SELECT * FROM analytics.list_trials WHERE trial_id = :trial_id")
LIST_SETTINGS = Reading("""
SELECT setting_number AS number, is_fitted, pair_decay, pair_backward, pair_popularity,
    pair_damping, history_decay, setting_value AS value
FROM analytics.list_trial_settings WHERE trial_id = :trial_id
ORDER BY setting_value DESC, setting_number LIMIT :rows
""")
LIST_COMPARISONS = Reading("""
SELECT compared_metric || '@' || compared_k AS metric, live_value AS live, best_value AS best,
    recipe_gain AS mean, recipe_gain_low AS mean_low, recipe_gain_high AS mean_high,
    recipe_p_value AS p_value
FROM analytics.list_trial_comparisons WHERE trial_id = :trial_id
ORDER BY compared_metric, compared_k
""")
