-- Terms are words of the configuration simple, not tokens of the index's analyzer, which Postgres
-- does not know. The users are counted in a subquery, for the rows of the result alone.
CREATE VIEW analytics.weakly_matched_queries (
    run_id, logical_date, query_id, query, query_term_count,
    matched_term_count, best_item_id, best_title, weak_user_count
) AS
SELECT
    r.run_id, r.logical_date, q.query_no, q.text, w.n_terms, w.n_matched, i.item_id, i.title,
    (
        SELECT count(DISTINCT ru.user_no)::integer
        FROM public.generated_queries AS gq
        JOIN public.generations AS g ON g.generation_no = gq.generation_no
            AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
        JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
        WHERE gq.query_no = q.query_no)
FROM public.runs AS r
JOIN public.generators AS t ON t.generator_no = r.generator_no
JOIN public.searches AS s ON s.build_no = r.build_no AND s.depth = r.depth
    AND s.options_no = coalesce(r.search_options_no, 0)
JOIN public.queries AS q ON q.query_no = s.query_no
JOIN public.items AS i ON i.item_no = s.item_nos[1]
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS n_terms,
        (count(*) FILTER (WHERE term = ANY (
            tsvector_to_array(to_tsvector('simple', i.title)))))::integer AS n_matched
    FROM unnest(tsvector_to_array(to_tsvector('simple', q.text))) AS term
) AS w
WHERE w.n_matched * 2 < w.n_terms
AND EXISTS (
    SELECT FROM public.generated_queries AS gq
    JOIN public.generations AS g ON g.generation_no = gq.generation_no
        AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
    JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
    WHERE gq.query_no = q.query_no);

COMMENT ON VIEW analytics.weakly_matched_queries IS
    'One row per run and generated query whose best hit has fewer than half of the query''s words: '
    'with zero_hit_queries, searches that the catalog may not answer. Filter by run_id.';
COMMENT ON COLUMN analytics.weakly_matched_queries.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.weakly_matched_queries.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.weakly_matched_queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.weakly_matched_queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.weakly_matched_queries.query_term_count IS
    'number of distinct words of the query, in lower case and not stemmed';
COMMENT ON COLUMN analytics.weakly_matched_queries.matched_term_count IS
    'number of those words in the title of the best hit; another form of a word does not count, '
    'also if the index''s analyzer takes them for equal';
COMMENT ON COLUMN analytics.weakly_matched_queries.best_item_id IS
    'the shop''s id of the best hit (hit_rank 1)';
COMMENT ON COLUMN analytics.weakly_matched_queries.best_title IS
    'cleaned title of the best hit; NULL: none usable';
COMMENT ON COLUMN analytics.weakly_matched_queries.weak_user_count IS
    'number of users that the query was generated for';
