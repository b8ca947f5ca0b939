CREATE VIEW analytics.trial_comparisons (
    trial_id, candidate, reference, segment, segment_user_count, gain, gain_low, gain_high,
    p_value
) AS
SELECT
    trial_no, candidate, reference, segment, n_users, gain, gain_low, gain_high,
    p_value
FROM public.trial_comparisons;

COMMENT ON VIEW analytics.trial_comparisons IS
    'One row per trial, candidate, reference and segment: how much better, and how surely.';
COMMENT ON COLUMN analytics.trial_comparisons.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trial_comparisons.candidate IS
    'best: the point with the highest mean';
COMMENT ON COLUMN analytics.trial_comparisons.reference IS 'defaults or live: k1, b compared with';
COMMENT ON COLUMN analytics.trial_comparisons.segment IS 'all, or the group of users';
COMMENT ON COLUMN analytics.trial_comparisons.segment_user_count IS 'users of the segment';
COMMENT ON COLUMN analytics.trial_comparisons.gain IS 'mean difference of the trial''s metric';
COMMENT ON COLUMN analytics.trial_comparisons.gain_low IS 'low end of its 95 % interval';
COMMENT ON COLUMN analytics.trial_comparisons.gain_high IS 'high end of its 95 % interval';
COMMENT ON COLUMN analytics.trial_comparisons.p_value IS
    'chance of such a gain without any difference; corrected for the number of tries';
