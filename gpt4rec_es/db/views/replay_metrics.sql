CREATE VIEW analytics.replay_metrics (
    replay_id, split_name, replay_part, replay_metric, replay_user_count, stored_mean,
    replayed_mean, replay_gain, replay_gain_low, replay_gain_high, replay_p_value
) AS
SELECT
    replay_no, split_name, part, metric, n_users, stored,
    replayed, gain, gain_low, gain_high, p_value
FROM public.replay_metrics;

COMMENT ON VIEW analytics.replay_metrics IS
    'One row per replay and metric, where a split was named.';
COMMENT ON COLUMN analytics.replay_metrics.replay_id IS 'number of the replay';
COMMENT ON COLUMN analytics.replay_metrics.split_name IS
    'split whose held-out items were looked for';
COMMENT ON COLUMN analytics.replay_metrics.replay_part IS 'validation or test';
COMMENT ON COLUMN analytics.replay_metrics.replay_metric IS
    'recall, hit_rate, ndcg or mrr at the replay''s k';
COMMENT ON COLUMN analytics.replay_metrics.replay_user_count IS 'users measured';
COMMENT ON COLUMN analytics.replay_metrics.stored_mean IS 'mean of the run''s own lists';
COMMENT ON COLUMN analytics.replay_metrics.replayed_mean IS 'mean of the replayed lists';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain IS 'mean difference';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain_low IS 'low end of its paired 95 % interval';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain_high IS
    'high end of its paired 95 % interval';
COMMENT ON COLUMN analytics.replay_metrics.replay_p_value IS
    'chance of such a difference by chance alone; corrected for the number of metrics';
