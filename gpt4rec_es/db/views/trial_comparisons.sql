CREATE VIEW analytics.trial_comparisons (
    trial_id, candidate, reference, segment, segment_user_count, gain, gain_low, gain_high,
    p_value
) AS
SELECT
    trial_no, candidate, reference, segment, n_users, gain, gain_low, gain_high,
    p_value
FROM public.trial_comparisons;

COMMENT ON VIEW analytics.trial_comparisons IS
    'One row per trial, candidate, reference and segment: gain with confidence interval and '
    'p-value.';
COMMENT ON COLUMN analytics.trial_comparisons.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trial_comparisons.candidate IS
    'best: the point with the highest mean';
COMMENT ON COLUMN analytics.trial_comparisons.reference IS
    'point that is compared with: defaults or live';
COMMENT ON COLUMN analytics.trial_comparisons.segment IS 'group of users; all: every user';
COMMENT ON COLUMN analytics.trial_comparisons.segment_user_count IS
    'number of users of the segment';
COMMENT ON COLUMN analytics.trial_comparisons.gain IS
    'mean difference of the trial''s metric, candidate minus reference';
COMMENT ON COLUMN analytics.trial_comparisons.gain_low IS
    'lower end of the gain''s 95 % confidence interval';
COMMENT ON COLUMN analytics.trial_comparisons.gain_high IS
    'upper end of the gain''s 95 % confidence interval';
COMMENT ON COLUMN analytics.trial_comparisons.p_value IS
    'p-value of the gain, corrected for the number of tests';
