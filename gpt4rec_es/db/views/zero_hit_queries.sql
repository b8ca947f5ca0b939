CREATE VIEW analytics.zero_hit_queries (
    run_id, logical_date, query_id, query, is_empty_query,
    user_count
) AS
SELECT
    r.run_id, r.logical_date, q.query_no, q.text, s.is_empty_query,
    count(DISTINCT ru.user_no)::integer
FROM public.runs AS r
JOIN public.generators AS t ON t.generator_no = r.generator_no
JOIN public.searches AS s ON s.build_no = r.build_no AND s.depth = r.depth
    AND s.item_nos = '{}' AND s.options_no = coalesce(r.search_options_no, 0)
JOIN public.queries AS q ON q.query_no = s.query_no
JOIN public.generated_queries AS gq ON gq.query_no = s.query_no
JOIN public.generations AS g ON g.generation_no = gq.generation_no
    AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
GROUP BY r.run_no, q.query_no, s.is_empty_query;

COMMENT ON VIEW analytics.zero_hit_queries IS
    'One row per run and generated query without hits: searches that users are predicted to type '
    'and the catalog cannot answer.';
COMMENT ON COLUMN analytics.zero_hit_queries.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.zero_hit_queries.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.zero_hit_queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.zero_hit_queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.zero_hit_queries.is_empty_query IS
    'whether the index''s text analysis left no token of the query text, so that nothing '
    'could be searched';
COMMENT ON COLUMN analytics.zero_hit_queries.user_count IS
    'number of users that the query was generated for';
