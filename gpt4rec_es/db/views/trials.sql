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
    'One row per trial: a grid of k1, b measured on generated queries and held-out items.';
COMMENT ON COLUMN analytics.trials.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trials.split_name IS 'split that it was measured on';
COMMENT ON COLUMN analytics.trials.trial_part IS 'validation or test';
COMMENT ON COLUMN analytics.trials.trial_generator IS 'generator that wrote the queries';
COMMENT ON COLUMN analytics.trials.trial_num_queries IS 'queries per user';
COMMENT ON COLUMN analytics.trials.trial_num_beams IS
    'hypotheses of the beam search, of which the queries are the best';
COMMENT ON COLUMN analytics.trials.index_name IS 'the index that was live and measured';
COMMENT ON COLUMN analytics.trials.metric IS 'recall or ndcg: what decided';
COMMENT ON COLUMN analytics.trials.trial_k IS 'items per list';
COMMENT ON COLUMN analytics.trials.trial_excludes_bought IS 'whether bought items were left out';
COMMENT ON COLUMN analytics.trials.grid IS 'coarse, fine or full';
COMMENT ON COLUMN analytics.trials.trial_user_count IS 'users measured';
COMMENT ON COLUMN analytics.trials.distinct_query_count IS 'distinct query texts searched';
COMMENT ON COLUMN analytics.trials.live_k1 IS 'k1 that was live';
COMMENT ON COLUMN analytics.trials.live_b IS 'b that was live';
COMMENT ON COLUMN analytics.trials.best_k1 IS 'k1 of the point with the highest mean';
COMMENT ON COLUMN analytics.trials.best_b IS 'b of that point';
COMMENT ON COLUMN analytics.trials.recommended_k1 IS 'k1 to be used';
COMMENT ON COLUMN analytics.trials.recommended_b IS 'b to be used';
COMMENT ON COLUMN analytics.trials.is_change IS
    'whether something else than what was live is to be used';
COMMENT ON COLUMN analytics.trials.verdict IS 'what to do and why, in a sentence';
COMMENT ON COLUMN analytics.trials.verified_count IS
    'queries whose hits on the server were those that were measured';
COMMENT ON COLUMN analytics.trials.trial_actor IS 'who tuned';
COMMENT ON COLUMN analytics.trials.tuned_at IS 'time of the trial';
COMMENT ON COLUMN analytics.trials.minimum_should_match IS
    'how many of a generated query''s terms a title must have, as 2 or 75%; 1: any is enough';
