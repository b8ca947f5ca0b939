CREATE VIEW analytics.evaluations (
    evaluation_id, split_name, part, method, evaluated_query_count, evaluated_generator_name,
    evaluated_generator_hash, index_name, k1, b, eval_user_count, evaluation_code_version,
    evaluation_duration_s, evaluation_actor, evaluated_at
) AS
SELECT
    e.evaluation_no, s.name, e.part, e.method, e.num_queries, e.generator_name,
    e.content_hash, e.index_name, e.k1, e.b, e.n_eval_users, e.code_version,
    e.seconds, e.actor, e.created_at
FROM public.evaluations AS e
JOIN public.splits AS s USING (split_no);

COMMENT ON VIEW analytics.evaluations IS
    'One row per evaluation: one method with one setting on one part of a split.';
COMMENT ON COLUMN analytics.evaluations.evaluation_id IS 'number of the evaluation';
COMMENT ON COLUMN analytics.evaluations.split_name IS 'name of the split';
COMMENT ON COLUMN analytics.evaluations.part IS 'validation or test';
COMMENT ON COLUMN analytics.evaluations.method IS 'name of the recommender that was measured';
COMMENT ON COLUMN analytics.evaluations.evaluated_query_count IS
    'queries per user; NULL: none generated';
COMMENT ON COLUMN analytics.evaluations.evaluated_generator_name IS
    'generator of the queries; NULL: none generated';
COMMENT ON COLUMN analytics.evaluations.evaluated_generator_hash IS
    'its content hash; NULL: none generated';
COMMENT ON COLUMN analytics.evaluations.index_name IS 'the build whose titles were searched';
COMMENT ON COLUMN analytics.evaluations.k1 IS
    'BM25 k1: how soon repeated terms stop to count, >= 0';
COMMENT ON COLUMN analytics.evaluations.b IS 'BM25 b: how much long titles are marked down, 0 to 1';
COMMENT ON COLUMN analytics.evaluations.eval_user_count IS 'users recommended to';
COMMENT ON COLUMN analytics.evaluations.evaluation_code_version IS 'the code that measured';
COMMENT ON COLUMN analytics.evaluations.evaluation_duration_s IS
    'seconds it took, generation included';
COMMENT ON COLUMN analytics.evaluations.evaluation_actor IS 'who started it';
COMMENT ON COLUMN analytics.evaluations.evaluated_at IS 'time it was stored';
