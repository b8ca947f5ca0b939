CREATE VIEW analytics.trials (
    trial_id, split_name, trial_part, trial_generator, trial_num_queries,
    trial_num_beams, index_name, metric, trial_k, trial_excludes_bought, grid,
    trial_user_count, distinct_query_count, live_k1, live_b, best_k1, best_b, recommended_k1,
    recommended_b, is_change, verdict,
    verified_count, trial_actor, tuned_at, minimum_should_match
) AS
SELECT
    t.trial_no, t.split_name, t.part, g.name, (d.settings ->> 'num_queries')::integer,
    (d.settings ->> 'num_beams')::integer, b.index_name, t.metric, t.k, t.exclude_bought, t.grid,
    t.n_users, t.n_queries, t.live_k1, t.live_b, t.best_k1, t.best_b, t.recommended_k1,
    t.recommended_b, (t.recommended_k1, t.recommended_b) <> (t.live_k1, t.live_b), t.verdict,
    t.n_verified, t.actor, t.tuned_at, coalesce(t.minimum_should_match, '1')
FROM public.trials AS t
JOIN public.generators AS g USING (generator_no)
JOIN public.decodings AS d USING (decoding_no)
JOIN public.builds AS b USING (build_no);

COMMENT ON VIEW analytics.trials IS
    'One row per trial: a grid of k1, b measured with generated queries on held-out items.';
COMMENT ON COLUMN analytics.trials.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trials.split_name IS 'split that the trial was measured on';
COMMENT ON COLUMN analytics.trials.trial_part IS 'part of the split: validation or test';
COMMENT ON COLUMN analytics.trials.trial_generator IS
    'name of the generator that wrote the queries';
COMMENT ON COLUMN analytics.trials.trial_num_queries IS 'number of queries per user';
COMMENT ON COLUMN analytics.trials.trial_num_beams IS
    'number of beams of the beam search; the best hypotheses become the queries';
COMMENT ON COLUMN analytics.trials.index_name IS
    'name of the Elasticsearch index that was live: its catalog and analyzer were used';
COMMENT ON COLUMN analytics.trials.metric IS 'metric that selects k1 and b: recall or ndcg';
COMMENT ON COLUMN analytics.trials.trial_k IS 'maximum number of items per list';
COMMENT ON COLUMN analytics.trials.trial_excludes_bought IS
    'whether items that the user bought before were left out';
COMMENT ON COLUMN analytics.trials.grid IS 'grid of k1, b: coarse, fine or full';
COMMENT ON COLUMN analytics.trials.trial_user_count IS 'number of users measured';
COMMENT ON COLUMN analytics.trials.distinct_query_count IS
    'number of distinct query texts searched';
COMMENT ON COLUMN analytics.trials.live_k1 IS 'BM25 k1 of the live index';
COMMENT ON COLUMN analytics.trials.live_b IS 'BM25 b of the live index';
COMMENT ON COLUMN analytics.trials.best_k1 IS 'BM25 k1 of the point with the highest mean';
COMMENT ON COLUMN analytics.trials.best_b IS 'BM25 b of the point with the highest mean';
COMMENT ON COLUMN analytics.trials.recommended_k1 IS 'BM25 k1 that the trial recommends';
COMMENT ON COLUMN analytics.trials.recommended_b IS 'BM25 b that the trial recommends';
COMMENT ON COLUMN analytics.trials.is_change IS
    'whether the recommended k1, b differ from the live ones';
COMMENT ON COLUMN analytics.trials.verdict IS 'recommendation and its reason in one sentence';
COMMENT ON COLUMN analytics.trials.verified_count IS
    'number of sampled queries for which Elasticsearch, with the best k1 and b, returned the '
    'same items as the measurement';
COMMENT ON COLUMN analytics.trials.trial_actor IS 'operator that started the trial (login name)';
COMMENT ON COLUMN analytics.trials.tuned_at IS 'time the trial was stored';
COMMENT ON COLUMN analytics.trials.minimum_should_match IS
    'number or percentage of a generated query''s terms that a title must contain, e.g. 2 or '
    '75%; 1: one term is enough';
