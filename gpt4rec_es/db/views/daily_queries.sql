-- Each number has a text, so the left join changes no row; statements that read no texts are
-- planned without it.
CREATE VIEW analytics.daily_queries (
    run_id, logical_date, query_id, query, query_user_count, query_hit_count, has_more_hits,
    found_recommendation_count
) AS
SELECT
    r.run_id, day.logical_date, d.query_no, q.text, d.n_users, d.n_hits, d.has_more_hits,
    d.n_recommended
FROM public.daily_runs AS day
JOIN public.runs AS r ON r.run_no = day.run_no AND day.kind = 'nightly'
JOIN public.daily_queries AS d ON d.run_no = day.run_no
LEFT JOIN public.queries AS q ON q.query_no = d.query_no;

COMMENT ON VIEW analytics.daily_queries IS
    'One row per date and distinct query of the run last published for the date. Stays when the '
    'run''s lists are pruned. Queries of fewer users than the run''s minimum are left out.';
COMMENT ON COLUMN analytics.daily_queries.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.daily_queries.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.daily_queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.daily_queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.daily_queries.query_user_count IS
    'number of users that the query was generated for';
COMMENT ON COLUMN analytics.daily_queries.query_hit_count IS
    'number of hits stored for the query, at most the run''s first depth; NULL: it was not '
    'searched';
COMMENT ON COLUMN analytics.daily_queries.has_more_hits IS
    'whether the index has more hits than query_hit_count; false also if the query was not '
    'searched';
COMMENT ON COLUMN analytics.daily_queries.found_recommendation_count IS
    'number of recommendations that the query found';
