CREATE VIEW analytics.evaluation_metrics (
    evaluation_id, list_length, user_segment, metric_name, metric_mean, metric_low, metric_high,
    metric_user_count
) AS
SELECT
    evaluation_no, k, segment, metric, mean, low, high,
    n_users
FROM public.evaluation_metrics;

COMMENT ON VIEW analytics.evaluation_metrics IS
    'One row per evaluation, list length, segment and metric.';
COMMENT ON COLUMN analytics.evaluation_metrics.evaluation_id IS 'number of the evaluation';
COMMENT ON COLUMN analytics.evaluation_metrics.list_length IS 'K: maximum number of items per user';
COMMENT ON COLUMN analytics.evaluation_metrics.user_segment IS 'group of users; all: every user';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_name IS
    'name of the metric, as recall, ndcg, diversity_category';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_mean IS 'mean of the metric over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_low IS
    'lower end of the mean''s 95 % confidence interval; NULL: the metric is no mean over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_high IS
    'upper end of the mean''s 95 % confidence interval; NULL: the metric is no mean over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_user_count IS
    'number of users with a value of the metric';
