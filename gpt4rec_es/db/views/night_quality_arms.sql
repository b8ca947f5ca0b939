CREATE VIEW analytics.night_quality_arms (
    run_id, logical_date, list_age_days, arm, arm_user_count, arm_buyer_count, arm_bought_count,
    arm_hit_user_count
) AS
SELECT
    r.run_id, r.logical_date, a.age_days, a.arm, a.n_users, a.n_buyers, a.n_bought, a.n_hit_users
FROM public.quality_arms AS a
JOIN public.runs AS r ON r.run_no = a.run_no AND r.state = 'published';

COMMENT ON VIEW analytics.night_quality_arms IS
    'One row per published run with a holdback, age of its lists and arm: what its users bought. '
    'Arms are random groups of users, so differences between them are effects of the lists.';
COMMENT ON COLUMN analytics.night_quality_arms.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.night_quality_arms.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.night_quality_arms.list_age_days IS
    'number of days after the start of the run whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN analytics.night_quality_arms.arm IS
    'recipe (users that are not held back), paper, popularity or none (no list)';
COMMENT ON COLUMN analytics.night_quality_arms.arm_user_count IS
    'number of the run''s users in the arm';
COMMENT ON COLUMN analytics.night_quality_arms.arm_buyer_count IS
    'number of those that bought an item that was new to them';
COMMENT ON COLUMN analytics.night_quality_arms.arm_bought_count IS
    'number of such items, summed over users';
COMMENT ON COLUMN analytics.night_quality_arms.arm_hit_user_count IS
    'number of users that bought an item of their list';
