CREATE VIEW analytics.replay_metrics (
    replay_id, split_name, replay_part, replay_metric, replay_user_count, stored_mean,
    replayed_mean, replay_gain, replay_gain_low, replay_gain_high, replay_p_value
) AS
SELECT
    replay_no, split_name, part, metric, n_users, stored,
    replayed, gain, gain_low, gain_high, p_value
FROM public.replay_metrics;

COMMENT ON VIEW analytics.replay_metrics IS 'One row per replay and metric, if a split was given.';
COMMENT ON COLUMN analytics.replay_metrics.replay_id IS 'number of the replay';
COMMENT ON COLUMN analytics.replay_metrics.split_name IS 'split with the held-out items';
COMMENT ON COLUMN analytics.replay_metrics.replay_part IS 'part of the split: validation or test';
COMMENT ON COLUMN analytics.replay_metrics.replay_metric IS
    'recall, hit_rate, ndcg or mrr at the replay''s k';
COMMENT ON COLUMN analytics.replay_metrics.replay_user_count IS 'number of users measured';
COMMENT ON COLUMN analytics.replay_metrics.stored_mean IS
    'mean of the metric over the run''s stored lists';
COMMENT ON COLUMN analytics.replay_metrics.replayed_mean IS
    'mean of the metric over the replayed lists';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain IS 'mean difference, replayed minus stored';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain_low IS
    'lower end of the paired 95 % confidence interval of the gain';
COMMENT ON COLUMN analytics.replay_metrics.replay_gain_high IS
    'upper end of the paired 95 % confidence interval of the gain';
COMMENT ON COLUMN analytics.replay_metrics.replay_p_value IS
    'p-value of the gain, corrected for the number of metrics';
