CREATE VIEW analytics.runs (
    run_id, run_kind, logical_date, attempt, run_state, is_published, published_at,
    cohort_size, k, first_depth, num_queries,
    num_beams, max_new_tokens,
    length_penalty, dtype, generator_name, generator_kind,
    generator_hash, index_name, k1, b, manifest_hash, code_version,
    run_actor, planned_at, finished_at, duration_s,
    run_error, minimum_should_match, recipe_name, recipe_hash, prior_weight,
    distinct_first_queries, top_first_query_fraction, reranker_name, reranker_hash,
    search_fields, canary_user_count, canary_passed_at
) AS
SELECT
    r.run_id, r.kind, r.logical_date, r.attempt, r.state, p.run_no IS NOT NULL, p.published_at,
    r.cohort_size, r.k, r.depth, (d.settings ->> 'num_queries')::integer,
    (d.settings ->> 'num_beams')::integer, (d.settings ->> 'max_new_tokens')::integer,
    (d.settings ->> 'length_penalty')::real, d.settings ->> 'dtype', g.name, g.kind,
    g.content_hash, b.index_name, b.k1, b.b, encode(r.manifest_hash, 'hex'), r.code_version,
    r.actor, r.planned_at, r.finished_at, 
    coalesce(r.work_s, extract(epoch FROM r.finished_at - r.planned_at)::real),
    r.error, coalesce(o.options ->> 'minimum_should_match', '1'),
    r.manifest #>> '{recipe,name}', r.manifest #>> '{recipe,hash}',
    CASE WHEN r.generator_no IS NOT NULL
        THEN coalesce((d.settings ->> 'prior_weight')::real, 0) END,
    r.distinct_first_queries, r.top_first_query_fraction,
    r.manifest #>> '{reranker,name}', r.manifest #>> '{reranker,content_hash}',
    coalesce(o.options ->> 'fields', '{}'), r.canary_users, r.canary_passed_at
FROM public.runs AS r
JOIN public.builds AS b USING (build_no)
LEFT JOIN public.decodings AS d
    ON d.decoding_no = r.decoding_no AND r.generator_no IS NOT NULL
LEFT JOIN public.generators AS g USING (generator_no)
LEFT JOIN public.publications AS p ON p.run_no = r.run_no
LEFT JOIN public.search_options AS o ON o.options_no = r.search_options_no;

COMMENT ON VIEW analytics.runs IS 'One row per run: its inputs, state and duration.';
COMMENT ON COLUMN analytics.runs.run_id IS
    'name of the run: kind, date and attempt, as nightly-2026-11-22-1';
COMMENT ON COLUMN analytics.runs.run_kind IS 'kind of run: nightly';
COMMENT ON COLUMN analytics.runs.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.runs.attempt IS
    '1-based number of the run among those of its kind and date';
COMMENT ON COLUMN analytics.runs.run_state IS
    'planned, generating, embedding, searching, merging, checking; then published, rejected (a '
    'gate failed), failed, cancelled or superseded';
COMMENT ON COLUMN analytics.runs.is_published IS 'whether the latest_ views show this run now';
COMMENT ON COLUMN analytics.runs.published_at IS
    'time since which the latest_ views show this run; NULL: they do not show it now, even '
    'if it was published earlier (run_state stays published)';
COMMENT ON COLUMN analytics.runs.cohort_size IS
    'number of users that the run makes recommendations for';
COMMENT ON COLUMN analytics.runs.k IS 'maximum number of items per user';
COMMENT ON COLUMN analytics.runs.first_depth IS
    'number of hits requested per query in the first search';
COMMENT ON COLUMN analytics.runs.num_queries IS
    'number of queries generated per user; NULL: no generator';
COMMENT ON COLUMN analytics.runs.num_beams IS
    'number of beams of the beam search; the best hypotheses become the queries; NULL: no '
    'generator';
COMMENT ON COLUMN analytics.runs.max_new_tokens IS
    'maximum number of tokens of a query, end token included; NULL: no generator';
COMMENT ON COLUMN analytics.runs.length_penalty IS
    'exponent of the length by which a hypothesis'' log-probability is divided; NULL: no '
    'generator';
COMMENT ON COLUMN analytics.runs.dtype IS
    'data type of the language model''s weights: fp32, fp16 or bf16; NULL: no generator';
COMMENT ON COLUMN analytics.runs.generator_name IS
    'name of the query generator; NULL: none, other sources make the lists';
COMMENT ON COLUMN analytics.runs.generator_kind IS
    'gpt2 (a language model), endpoint (a server) or titles (newest titles); NULL: no generator';
COMMENT ON COLUMN analytics.runs.generator_hash IS
    'hash of the generator''s weights, configuration and tokenizer; NULL: no generator';
COMMENT ON COLUMN analytics.runs.index_name IS
    'name of the Elasticsearch index that the run searches';
COMMENT ON COLUMN analytics.runs.k1 IS 'BM25 k1 of the searched index';
COMMENT ON COLUMN analytics.runs.b IS 'BM25 b of the searched index';
COMMENT ON COLUMN analytics.runs.manifest_hash IS
    'hash (hex) of all inputs of the run: equal hashes mean equal results';
COMMENT ON COLUMN analytics.runs.code_version IS 'code version of the planner';
COMMENT ON COLUMN analytics.runs.run_actor IS 'operator that started the run (login name)';
COMMENT ON COLUMN analytics.runs.planned_at IS 'start of the run';
COMMENT ON COLUMN analytics.runs.finished_at IS 'end of the run; NULL: unfinished';
COMMENT ON COLUMN analytics.runs.duration_s IS
    'seconds from start to end of its work, without waiting for an operator; NULL: unfinished';
COMMENT ON COLUMN analytics.runs.run_error IS
    'reason that the run failed or was rejected; NULL: neither';
COMMENT ON COLUMN analytics.runs.minimum_should_match IS
    'number or percentage of a generated query''s terms that a title must contain, e.g. 2 or '
    '75%; 1: one term is enough';
COMMENT ON COLUMN analytics.runs.recipe_name IS
    'name of the recipe that the lists were made by; NULL: the run is older than recipes';
COMMENT ON COLUMN analytics.runs.recipe_hash IS
    'SHA-256 (hex) of that recipe; NULL: the run is older than recipes';
COMMENT ON COLUMN analytics.runs.prior_weight IS
    'part of a query''s log-probability without the user''s titles that is subtracted before '
    'queries are ranked; 0: none';
COMMENT ON COLUMN analytics.runs.distinct_first_queries IS
    'number of distinct first queries of users, before filters; NULL: not checked yet';
COMMENT ON COLUMN analytics.runs.top_first_query_fraction IS
    'fraction of the users with a query whose first query is the most frequent one, before '
    'filters; NULL: not checked yet, or no user has a query';
COMMENT ON COLUMN analytics.runs.reranker_name IS
    'name of the re-ranker whose score is a feature of the fusion; NULL: none';
COMMENT ON COLUMN analytics.runs.reranker_hash IS
    'hash of the re-ranker''s files; NULL: no re-ranker';
COMMENT ON COLUMN analytics.runs.search_fields IS
    'fields searched beside the title with their weights, e.g. {"brand": 0.3}; {}: titles '
    'alone';
COMMENT ON COLUMN analytics.runs.canary_user_count IS
    'number of users that were served and judged before all others; NULL: the run has no canary';
COMMENT ON COLUMN analytics.runs.canary_passed_at IS
    'time that the other users were let follow; NULL: no canary, or not yet';
