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
    'One row per kept run and generated query that the run''s filters removed before searching.';
COMMENT ON COLUMN analytics.removed_queries.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.removed_queries.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.removed_queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.removed_queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.removed_queries.removal_reason IS
    'filter that removed the query: repetition (the query repeats itself), phrase (contains a '
    'forbidden phrase), script (letters of a script that titles do not use) or unknown (terms that '
    'occur in no title)';
COMMENT ON COLUMN analytics.removed_queries.removal_detail IS
    'the repeated words, the phrase, the scripts, or the number of unknown terms';
COMMENT ON COLUMN analytics.removed_queries.removed_user_count IS
    'number of users that the query was generated for';
