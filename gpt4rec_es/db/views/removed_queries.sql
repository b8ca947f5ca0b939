CREATE VIEW analytics.removed_queries (
    run_id, logical_date, query_id, query, removal_reason, removal_detail, removed_user_count
) AS
SELECT
    r.run_id, r.logical_date, q.query_no, q.text, v.reason, v.detail, count(*)::integer
FROM public.runs AS r
JOIN public.generators AS t USING (generator_no)
JOIN public.query_verdicts AS v ON v.filters_no = r.filters_no AND v.reason IS NOT NULL
JOIN public.queries AS q ON q.query_no = v.query_no
JOIN public.generated_queries AS gq ON gq.query_no = v.query_no
JOIN public.generations AS g ON g.generation_no = gq.generation_no
    AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
GROUP BY r.run_no, q.query_no, v.reason, v.detail;

COMMENT ON VIEW analytics.removed_queries IS
    'One row per kept run and generated query that its filters kept from being searched for.';
COMMENT ON COLUMN analytics.removed_queries.run_id IS 'the run';
COMMENT ON COLUMN analytics.removed_queries.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.removed_queries.query_id IS
    'number of the query text, the same in every view and run';
COMMENT ON COLUMN analytics.removed_queries.query IS
    'the query text: what the user would type next';
COMMENT ON COLUMN analytics.removed_queries.removal_reason IS
    'phrase (a forbidden one), script (letters that titles do not use) or unknown (terms that no '
    'title has)';
COMMENT ON COLUMN analytics.removed_queries.removal_detail IS
    'the phrase, the scripts, or how many terms';
COMMENT ON COLUMN analytics.removed_queries.removed_user_count IS
    'users that the query was generated for';
