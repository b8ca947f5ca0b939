CREATE VIEW analytics.daily_gaps (
    run_id, logical_date, query_id, query, gap_user_count,
    example_titles
) AS
SELECT
    r.run_id, day.logical_date, q.query_no, q.text, d.n_users,
    ARRAY(
        SELECT i.title
        FROM public.daily_examples AS e JOIN public.items AS i USING (item_no)
        WHERE e.run_no = d.run_no AND e.query_no = d.query_no ORDER BY e.place)
FROM public.daily_runs AS day
JOIN public.runs AS r ON r.run_no = day.run_no AND day.kind = 'nightly'
JOIN public.daily_queries AS d ON d.run_no = day.run_no
JOIN public.queries AS q ON q.query_no = d.query_no
WHERE d.n_hits = 0 AND NOT d.is_empty_query;

COMMENT ON VIEW analytics.daily_gaps IS
    'One row per date and generated query that was searched and had no hits: products that '
    'the catalog may lack. Queries without a token after analysis, and queries of fewer '
    'users than the run''s minimum, are left out. Stays when the run''s lists are pruned.';
COMMENT ON COLUMN analytics.daily_gaps.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.daily_gaps.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.daily_gaps.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.daily_gaps.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.daily_gaps.gap_user_count IS
    'number of users that the query was generated for';
COMMENT ON COLUMN analytics.daily_gaps.example_titles IS
    'the titles that most of those users bought last, at most three; may be empty';
