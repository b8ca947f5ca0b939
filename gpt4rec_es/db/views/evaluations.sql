CREATE VIEW analytics.evaluations (
    evaluation_id, split_name, part, method, evaluated_query_count, evaluated_generator_name,
    evaluated_generator_hash, index_name, k1, b, eval_user_count, evaluation_code_version,
    evaluation_duration_s, evaluation_actor, evaluated_at,
    evaluated_recipe_name, evaluated_recipe_hash,
    evaluated_distinct_first_queries, evaluated_top_first_query_fraction
) AS
SELECT
    e.evaluation_no, s.name, e.part, e.method, e.num_queries, e.generator_name,
    e.content_hash, e.index_name, e.k1, e.b, e.n_eval_users, e.code_version,
    e.seconds, e.actor, e.created_at,
    e.options #>> '{recipe,name}', e.options #>> '{recipe,hash}',
    e.distinct_first_queries, e.top_first_query_fraction
FROM public.evaluations AS e
JOIN public.splits AS s USING (split_no);

COMMENT ON VIEW analytics.evaluations IS
    'One row per evaluation: one method with one setting on one part of a split.';
COMMENT ON COLUMN analytics.evaluations.evaluation_id IS 'number of the evaluation';
COMMENT ON COLUMN analytics.evaluations.split_name IS 'name of the split';
COMMENT ON COLUMN analytics.evaluations.part IS 'part of the split: validation or test';
COMMENT ON COLUMN analytics.evaluations.method IS 'name of the recommender';
COMMENT ON COLUMN analytics.evaluations.evaluated_query_count IS
    'number of queries per user; NULL: the method generates none';
COMMENT ON COLUMN analytics.evaluations.evaluated_generator_name IS
    'name of the query generator; NULL: the method generates no queries';
COMMENT ON COLUMN analytics.evaluations.evaluated_generator_hash IS
    'content hash of the query generator; NULL: the method generates no queries';
COMMENT ON COLUMN analytics.evaluations.index_name IS
    'name of the Elasticsearch index whose titles were searched';
COMMENT ON COLUMN analytics.evaluations.k1 IS 'BM25 k1, term frequency saturation, >= 0';
COMMENT ON COLUMN analytics.evaluations.b IS 'BM25 b, length normalisation, 0 to 1';
COMMENT ON COLUMN analytics.evaluations.eval_user_count IS 'number of users evaluated';
COMMENT ON COLUMN analytics.evaluations.evaluation_code_version IS
    'code version that made the evaluation';
COMMENT ON COLUMN analytics.evaluations.evaluation_duration_s IS
    'duration in seconds, generation included';
COMMENT ON COLUMN analytics.evaluations.evaluation_actor IS
    'operator that started the evaluation (login name)';
COMMENT ON COLUMN analytics.evaluations.evaluated_at IS 'time the evaluation was stored';
COMMENT ON COLUMN analytics.evaluations.evaluated_recipe_name IS
    'name of the recipe that was measured, or that options of the command changed; NULL: the '
    'method has none';
COMMENT ON COLUMN analytics.evaluations.evaluated_recipe_hash IS
    'SHA-256 (hex) of the recipe that was measured, with its changes; NULL: the method has none';
COMMENT ON COLUMN analytics.evaluations.evaluated_distinct_first_queries IS
    'number of distinct first queries of users, before filters; NULL: the method generates none, '
    'or an older version made it';
COMMENT ON COLUMN analytics.evaluations.evaluated_top_first_query_fraction IS
    'fraction of the users with a query whose first query is the most frequent one, before '
    'filters; NULL: no user has a query, or an older version made it';
