-- A run that was withdrawn or rolled back is not shown; it returns if it is published again.
CREATE VIEW analytics.night_quality (
    run_id, logical_date, list_age_days, measured_on, is_last_measurement, is_complete, list_kind,
    buyer_count, bought_count, judged_user_count, hit_user_count, hit_count, hit_rate,
    hit_rate_low, hit_rate_high, mean_recall, mean_recall_low, mean_recall_high, hit_rate_gain,
    hit_rate_gain_low, hit_rate_gain_high
) AS
SELECT
    r.run_id, r.logical_date, d.age_days, d.measured_on,
    d.measured_on = max(d.measured_on) OVER (PARTITION BY d.run_no, d.age_days),
    d.is_complete, m.method, d.n_users, d.n_bought, m.n_users, m.n_hit_users, m.n_hits,
    (m.n_hit_users::double precision / nullif(m.n_users, 0))::real,
    m.hit_rate_low, m.hit_rate_high, m.recall, m.recall_low, m.recall_high, m.gain, m.gain_low,
    m.gain_high
FROM public.quality_days AS d
JOIN public.runs AS r ON r.run_no = d.run_no AND r.state = 'published'
JOIN public.quality_methods AS m
    ON m.run_no = d.run_no AND m.age_days = d.age_days AND m.measured_on = d.measured_on;

COMMENT ON VIEW analytics.night_quality IS
    'One row per published run, age of its lists, day of measurement and kind of list: how many of '
    'the users that bought something new found it in the list. Observational: a list may cause '
    'what it predicts.';
COMMENT ON COLUMN analytics.night_quality.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.night_quality.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.night_quality.list_age_days IS
    'number of days after the start of the run whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN analytics.night_quality.measured_on IS
    'day (UTC) on which further purchases were found; a later row replaces it as the last one';
COMMENT ON COLUMN analytics.night_quality.is_last_measurement IS
    'whether no later day has a measurement of this run and age';
COMMENT ON COLUMN analytics.night_quality.is_complete IS
    'whether purchases from after these days were imported, too';
COMMENT ON COLUMN analytics.night_quality.list_kind IS
    'published (the run''s lists), popularity (its popular items) or newest_title (hits of the '
    'user''s newest bought title in the run''s build)';
COMMENT ON COLUMN analytics.night_quality.buyer_count IS
    'number of the run''s users that bought an item that was new to them';
COMMENT ON COLUMN analytics.night_quality.bought_count IS
    'number of such items, summed over users';
COMMENT ON COLUMN analytics.night_quality.judged_user_count IS
    'number of these users whose list of this kind is known; the newest title of the others was '
    'not searched';
COMMENT ON COLUMN analytics.night_quality.hit_user_count IS
    'number of the judged users that bought an item of the list';
COMMENT ON COLUMN analytics.night_quality.hit_count IS
    'number of items that were bought and listed, summed over users';
COMMENT ON COLUMN analytics.night_quality.hit_rate IS
    'hit_user_count / judged_user_count; NULL: no user';
COMMENT ON COLUMN analytics.night_quality.hit_rate_low IS
    'lower end of the hit rate''s 95 % confidence interval (exact); NULL: no user';
COMMENT ON COLUMN analytics.night_quality.hit_rate_high IS
    'upper end of the hit rate''s 95 % confidence interval (exact); NULL: no user';
COMMENT ON COLUMN analytics.night_quality.mean_recall IS
    'mean over users of the fraction of their newly bought items that the list has; NULL: no user';
COMMENT ON COLUMN analytics.night_quality.mean_recall_low IS
    'lower end of the recall''s 95 % confidence interval (bootstrap); NULL: no user';
COMMENT ON COLUMN analytics.night_quality.mean_recall_high IS
    'upper end of the recall''s 95 % confidence interval (bootstrap); NULL: no user';
COMMENT ON COLUMN analytics.night_quality.hit_rate_gain IS
    'hit rate of the published lists minus that of this kind, on the same users; NULL: no user, '
    'or list_kind is published';
COMMENT ON COLUMN analytics.night_quality.hit_rate_gain_low IS
    'lower end of the gain''s 95 % confidence interval (paired bootstrap); NULL: as hit_rate_gain';
COMMENT ON COLUMN analytics.night_quality.hit_rate_gain_high IS
    'upper end of the gain''s 95 % confidence interval (paired bootstrap); NULL: as hit_rate_gain';
