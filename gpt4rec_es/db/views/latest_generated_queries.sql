-- A scalar subquery instead of a join: it is evaluated before the partitions are opened, so that
-- only the published run's partition is read.
CREATE VIEW analytics.latest_generated_queries (
    run_id, logical_date, user_id, query_rank, query_id, query,
    beam_score, query_tokens, generated_at, prior_logprob
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, gq.rank, q.query_no, q.text,
    gq.sum_logprob / greatest(gq.n_tokens, 1), gq.n_tokens, g.created_at,
    gq.prior_logprob
FROM public.run_users AS ru
JOIN public.runs AS r ON r.run_no = ru.run_no
JOIN public.generators AS t ON t.generator_no = r.generator_no
JOIN public.users AS u ON u.user_no = ru.user_no
JOIN public.generations AS g ON g.prompt_no = ru.prompt_no
    AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
JOIN public.generated_queries AS gq ON gq.generation_no = g.generation_no
JOIN public.queries AS q ON q.query_no = gq.query_no
WHERE ru.run_no = (SELECT p.run_no FROM public.publications AS p WHERE p.kind = 'nightly');

COMMENT ON VIEW analytics.latest_generated_queries IS
    'One row per user and query of the published run.';
COMMENT ON COLUMN analytics.latest_generated_queries.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.latest_generated_queries.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.latest_generated_queries.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.latest_generated_queries.query_rank IS
    '1-based rank of the query among the user''s queries of the run, by the score that the run''s '
    'decoding asks for';
COMMENT ON COLUMN analytics.latest_generated_queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.latest_generated_queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.latest_generated_queries.beam_score IS
    'mean natural-log probability per token, end token included; 0: probability 1';
COMMENT ON COLUMN analytics.latest_generated_queries.query_tokens IS
    'number of tokens of the query, end token included';
COMMENT ON COLUMN analytics.latest_generated_queries.generated_at IS
    'time the query was generated; before the run if an earlier run had the same input';
COMMENT ON COLUMN analytics.latest_generated_queries.prior_logprob IS
    'natural-log probability of the query''s tokens after a prompt without titles; beam_score x '
    'query_tokens is that after the user''s prompt; NULL: prior_weight of the run is 0, or no '
    'language model';
