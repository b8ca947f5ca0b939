CREATE VIEW analytics.list_trial_comparisons (
    trial_id, compared_k, compared_metric, live_value, best_value, recipe_gain, recipe_gain_low,
    recipe_gain_high, recipe_p_value, compared_segment, compared_users
) AS
SELECT
    trial_no, k, metric, live_value, best_value, gain, gain_low, gain_high, p_value, segment,
    n_users
FROM public.list_trial_comparisons;

COMMENT ON VIEW analytics.list_trial_comparisons IS
    'One row per metric and segment of the best recipe of a trial and the one that was live, on '
    'users that were not used for choosing.';
COMMENT ON COLUMN analytics.list_trial_comparisons.trial_id IS
    'number of the trial';
COMMENT ON COLUMN analytics.list_trial_comparisons.compared_k IS
    'number of items per list';
COMMENT ON COLUMN analytics.list_trial_comparisons.compared_metric IS
    'recall, ndcg, hit_rate or mrr';
COMMENT ON COLUMN analytics.list_trial_comparisons.live_value IS
    'mean by the recipe that was live';
COMMENT ON COLUMN analytics.list_trial_comparisons.best_value IS
    'mean by the best recipe found';
COMMENT ON COLUMN analytics.list_trial_comparisons.recipe_gain IS
    'mean difference, best minus live';
COMMENT ON COLUMN analytics.list_trial_comparisons.recipe_gain_low IS
    'lower end of its paired 95 % interval';
COMMENT ON COLUMN analytics.list_trial_comparisons.recipe_gain_high IS
    'upper end of its paired 95 % interval';
COMMENT ON COLUMN analytics.list_trial_comparisons.recipe_p_value IS
    'two-sided p-value of a paired permutation test, not adjusted for several metrics';
COMMENT ON COLUMN analytics.list_trial_comparisons.compared_segment IS
    'group of users; all: every user';
COMMENT ON COLUMN analytics.list_trial_comparisons.compared_users IS
    'number of users of the segment; NULL: an older trial, of all its test users';
