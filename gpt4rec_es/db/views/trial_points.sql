CREATE VIEW analytics.trial_points (
    trial_id, analyzer, fields, hits_per_query, k1, b, recall, ndcg
) AS
SELECT
    trial_no, analyzer, fields, hits_per_query, k1::real, b::real, recall, ndcg
FROM public.trial_points;

COMMENT ON VIEW analytics.trial_points IS 'One row per trial and point that was measured.';
COMMENT ON COLUMN analytics.trial_points.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trial_points.analyzer IS
    'analyzer that was tried; NULL: that of the live index';
COMMENT ON COLUMN analytics.trial_points.fields IS
    'fields with weights that were tried; NULL: the title alone';
COMMENT ON COLUMN analytics.trial_points.hits_per_query IS
    'hits taken of each query; NULL: an equal share';
COMMENT ON COLUMN analytics.trial_points.k1 IS 'BM25 k1';
COMMENT ON COLUMN analytics.trial_points.b IS 'BM25 b';
COMMENT ON COLUMN analytics.trial_points.recall IS 'mean recall at the trial''s k';
COMMENT ON COLUMN analytics.trial_points.ndcg IS 'mean NDCG at the trial''s k';
