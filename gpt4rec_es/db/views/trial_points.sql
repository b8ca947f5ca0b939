CREATE VIEW analytics.trial_points (
    trial_id, k1, b, recall, ndcg
) AS
SELECT
    trial_no, k1::real, b::real, recall, ndcg
FROM public.trial_points;

COMMENT ON VIEW analytics.trial_points IS 'One row per trial and point (k1, b) that was measured.';
COMMENT ON COLUMN analytics.trial_points.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trial_points.k1 IS 'BM25 k1 of the point';
COMMENT ON COLUMN analytics.trial_points.b IS 'BM25 b of the point';
COMMENT ON COLUMN analytics.trial_points.recall IS 'mean recall at the trial''s k';
COMMENT ON COLUMN analytics.trial_points.ndcg IS 'mean NDCG at the trial''s k';
