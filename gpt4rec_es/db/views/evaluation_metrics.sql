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
COMMENT ON COLUMN analytics.evaluation_metrics.list_length IS 'items asked for per user: K';
COMMENT ON COLUMN analytics.evaluation_metrics.user_segment IS 'group of users; all: everybody';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_name IS
    'name of the metric, as recall, ndcg, diversity_category';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_mean IS 'mean over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_low IS
    'lower end of its 95 % interval; NULL: no mean over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_high IS
    'upper end of its 95 % interval; NULL: no mean over users';
COMMENT ON COLUMN analytics.evaluation_metrics.metric_user_count IS 'users who have a value';
