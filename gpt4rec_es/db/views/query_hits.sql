CREATE VIEW analytics.query_hits (
    index_name, query_id, query, hit_rank, score, item_id, title, search_depth,
    is_exhausted, searched_at, minimum_should_match, search_fields,
    encoder_hash
) AS
SELECT
    b.index_name, q.query_no, q.text, h.hit_rank::integer, h.score, i.item_id, i.title, s.depth,
    s.is_exhausted, s.searched_at, coalesce(o.options ->> 'minimum_should_match', '1'),
    coalesce(o.options ->> 'fields', '{}'), coalesce(o.options ->> 'encoder', '')
FROM public.searches AS s
JOIN public.builds AS b USING (build_no)
JOIN public.queries AS q USING (query_no)
LEFT JOIN public.search_options AS o ON o.options_no = s.options_no
CROSS JOIN LATERAL unnest(s.item_nos, s.scores) WITH ORDINALITY AS h (item_no, score, hit_rank)
JOIN public.items AS i ON i.item_no = h.item_no
WHERE NOT EXISTS (
    SELECT FROM public.searches AS deeper
    WHERE deeper.build_no = s.build_no AND deeper.query_no = s.query_no
    AND deeper.depth > s.depth AND deeper.options_no = s.options_no);

COMMENT ON VIEW analytics.query_hits IS
    'One row per index build, query and hit, from the deepest stored search, recommended or not. '
    'Filter by index_name and query_id or query.';
COMMENT ON COLUMN analytics.query_hits.index_name IS
    'name of the Elasticsearch index that was searched';
COMMENT ON COLUMN analytics.query_hits.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.query_hits.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.query_hits.hit_rank IS '1-based rank among the hits of the query';
COMMENT ON COLUMN analytics.query_hits.score IS
    'BM25 score of the hit, which cannot be compared between queries; by vectors (1 + cosine) / 2';
COMMENT ON COLUMN analytics.query_hits.item_id IS 'the shop''s id of the item found';
COMMENT ON COLUMN analytics.query_hits.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.query_hits.search_depth IS 'number of hits that the search requested';
COMMENT ON COLUMN analytics.query_hits.is_exhausted IS
    'whether the index has no further hits for the query';
COMMENT ON COLUMN analytics.query_hits.searched_at IS 'time of the search';
COMMENT ON COLUMN analytics.query_hits.minimum_should_match IS
    'number or percentage of a generated query''s terms that a title must contain, e.g. 2 or '
    '75%; 1: one term is enough';
COMMENT ON COLUMN analytics.query_hits.search_fields IS
    'fields searched beside the title with their weights, e.g. {"brand": 0.3}; {}: titles '
    'alone';
COMMENT ON COLUMN analytics.query_hits.encoder_hash IS
    'content hash of the encoder by whose vectors was searched; empty: by words';
