CREATE VIEW analytics.runs (
    run_id, run_kind, logical_date, attempt, run_state, is_published, published_at,
    cohort_size, k, first_depth, num_queries,
    num_beams, max_new_tokens,
    length_penalty, dtype, generator_name, generator_kind,
    generator_hash, index_name, k1, b, manifest_hash, code_version,
    run_actor, planned_at, finished_at, duration_s,
    run_error, minimum_should_match
) AS
SELECT
    r.run_id, r.kind, r.logical_date, r.attempt, r.state, p.run_no IS NOT NULL, p.published_at,
    r.cohort_size, r.k, r.depth, (d.settings ->> 'num_queries')::integer,
    (d.settings ->> 'num_beams')::integer, (d.settings ->> 'max_new_tokens')::integer,
    (d.settings ->> 'length_penalty')::real, d.settings ->> 'dtype', g.name, g.kind,
    g.content_hash, b.index_name, b.k1, b.b, encode(r.manifest_hash, 'hex'), r.code_version,
    r.actor, r.planned_at, r.finished_at, extract(epoch FROM r.finished_at - r.planned_at)::real,
    r.error, coalesce(o.options ->> 'minimum_should_match', '1')
FROM public.runs AS r
JOIN public.builds AS b USING (build_no)
JOIN public.generators AS g USING (generator_no)
JOIN public.decodings AS d USING (decoding_no)
LEFT JOIN public.publications AS p ON p.run_no = r.run_no
LEFT JOIN public.search_options AS o ON o.options_no = r.search_options_no;

COMMENT ON VIEW analytics.runs IS 'One row per run: what it was made with and what became of it.';
COMMENT ON COLUMN analytics.runs.run_id IS 'name of the run: kind, date and attempt';
COMMENT ON COLUMN analytics.runs.run_kind IS 'nightly';
COMMENT ON COLUMN analytics.runs.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.runs.attempt IS '1-based count of runs of that kind and date';
COMMENT ON COLUMN analytics.runs.run_state IS
    'planned, generating, searching, merging, checking; then published, rejected (a gate said '
    'no), failed, cancelled or superseded';
COMMENT ON COLUMN analytics.runs.is_published IS
    'whether it is the run that the latest_ views show now';
COMMENT ON COLUMN analytics.runs.published_at IS 'time it became that; NULL: it is not that now';
COMMENT ON COLUMN analytics.runs.cohort_size IS 'users that it recommends for';
COMMENT ON COLUMN analytics.runs.k IS 'items per user';
COMMENT ON COLUMN analytics.runs.first_depth IS 'hits asked for per query at first';
COMMENT ON COLUMN analytics.runs.num_queries IS 'queries to be written per user';
COMMENT ON COLUMN analytics.runs.num_beams IS
    'hypotheses of the beam search, of which the queries are the best';
COMMENT ON COLUMN analytics.runs.max_new_tokens IS 'most tokens of a query, end token included';
COMMENT ON COLUMN analytics.runs.length_penalty IS
    'exponent of the length that a hypothesis'' log-probability is divided by';
COMMENT ON COLUMN analytics.runs.dtype IS 'number format of the language model: fp32 or fp16';
COMMENT ON COLUMN analytics.runs.generator_name IS 'name of the query generator';
COMMENT ON COLUMN analytics.runs.generator_kind IS
    'gpt2 (a language model) or titles (newest titles as queries)';
COMMENT ON COLUMN analytics.runs.generator_hash IS
    'hash of the generator''s weights, configuration and tokenizer';
COMMENT ON COLUMN analytics.runs.index_name IS 'name of the Elasticsearch index that it searches';
COMMENT ON COLUMN analytics.runs.k1 IS 'BM25 k1 of that index';
COMMENT ON COLUMN analytics.runs.b IS 'BM25 b of that index';
COMMENT ON COLUMN analytics.runs.manifest_hash IS
    'hash (hex) of all inputs: equal hashes, equal results';
COMMENT ON COLUMN analytics.runs.code_version IS 'version of the program that planned it';
COMMENT ON COLUMN analytics.runs.run_actor IS 'who started the run';
COMMENT ON COLUMN analytics.runs.planned_at IS 'start of the run';
COMMENT ON COLUMN analytics.runs.finished_at IS 'end of the run; NULL: unfinished';
COMMENT ON COLUMN analytics.runs.duration_s IS 'seconds from start to end; NULL: unfinished';
COMMENT ON COLUMN analytics.runs.run_error IS 'why it failed or was rejected; NULL: it was not';
COMMENT ON COLUMN analytics.runs.minimum_should_match IS
    'how many of a generated query''s terms a title must have, as 2 or 75%; 1: any is enough';
