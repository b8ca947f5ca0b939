CREATE VIEW analytics.list_trial_settings (
    trial_id, setting_number, is_fitted, has_reranker, has_sequence, has_vectors,
    setting_num_queries,
    query_decay, query_hits, candidates, history, history_decay, neighbours,
    pair_decay, pair_backward, pair_popularity, pair_damping, setting_value
) AS
SELECT
    trial_no, setting_no, is_fitted, has_reranker, has_sequence, has_vectors, num_queries,
    query_decay, query_hits, candidates, history, history_decay, neighbours,
    pair_decay, pair_backward, pair_popularity, pair_damping, value
FROM public.list_trial_settings;

COMMENT ON VIEW analytics.list_trial_settings IS
    'One row per setting that a trial of recipes measured.';
COMMENT ON COLUMN analytics.list_trial_settings.trial_id IS
    'number of the trial';
COMMENT ON COLUMN analytics.list_trial_settings.setting_number IS
    'order of the settings, from 1';
COMMENT ON COLUMN analytics.list_trial_settings.is_fitted IS
    'whether coefficients were fitted; false: those of the recipe that the trial began with';
COMMENT ON COLUMN analytics.list_trial_settings.has_reranker IS
    'whether a re-ranker''s score is one of the fitted features; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.has_sequence IS
    'whether the best items of a re-ranker are a source; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.has_vectors IS
    'whether texts are searched by vectors, too; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.setting_num_queries IS
    'number of first queries of a user that are searched; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.query_decay IS
    'factor by which each lower-ranked query counts less; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.query_hits IS
    'number of hits that are counted per query; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.candidates IS
    'number of candidates per source, and of hits per title; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.history IS
    'number of newest purchases of a user that are used; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.history_decay IS
    'factor by which each older purchase counts less';
COMMENT ON COLUMN analytics.list_trial_settings.neighbours IS
    'number of neighbours that are kept per item; NULL: an older trial';
COMMENT ON COLUMN analytics.list_trial_settings.pair_decay IS
    'factor by which a pair''s weight decreases per basket between its two purchases';
COMMENT ON COLUMN analytics.list_trial_settings.pair_backward IS
    'weight factor of a pair for an item bought before the other';
COMMENT ON COLUMN analytics.list_trial_settings.pair_popularity IS
    'p: share of the normalising exponent that is applied to the neighbour''s buyers';
COMMENT ON COLUMN analytics.list_trial_settings.pair_damping IS
    'd: number added to the item''s own buyers when normalising';
COMMENT ON COLUMN analytics.list_trial_settings.setting_value IS
    'mean of the trial''s metric on users that the coefficients were not fitted on';
