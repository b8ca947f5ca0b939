CREATE VIEW analytics.recommendations (
    run_id, logical_date, user_id, rank, item_id, title, source,
    is_fallback, query_id, query, query_rank, hit_rank, score,
    index_name, from_item_id, from_title, fused_score,
    minimum_should_match, promoted_by, merge_rank, rerank_score, holdback_arm,
    search_fields, encoder_hash
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, c.rank, i.item_id, i.title, c.source,
    c.source IN ('last_title', 'popular'), q.query_no, q.text, c.query_rank, c.hit_rank, c.score,
    b.index_name, f.item_id, f.title, c.fused_score,
    CASE WHEN c.query_rank IS NULL OR c.source = 'query_vectors' THEN '1'
        ELSE coalesce(o.options ->> 'minimum_should_match', '1') END,
    c.promoted_by, c.merge_rank, c.rerank_score, h.arm,
    CASE WHEN c.query_rank IS NULL OR c.source = 'query_vectors' THEN '{}'
        ELSE coalesce(o.options ->> 'fields', '{}') END,
    CASE WHEN c.source IN ('query_vectors', 'title_vectors')
        THEN r.manifest -> 'encoder' ->> 'content_hash' ELSE '' END
FROM public.recommendations AS c
JOIN public.runs AS r ON r.run_no = c.run_no
LEFT JOIN public.search_options AS o ON o.options_no = r.search_options_no
JOIN public.builds AS b ON b.build_no = r.build_no
JOIN public.users AS u ON u.user_no = c.user_no
JOIN public.items AS i ON i.item_no = c.item_no
LEFT JOIN public.queries AS q ON q.query_no = c.query_no
LEFT JOIN public.items AS f ON f.item_no = c.from_item_no
LEFT JOIN public.holdback_users AS h ON h.run_no = c.run_no AND h.user_no = c.user_no;

COMMENT ON VIEW analytics.recommendations IS
    'One row per run, user and rank, unchanged since the run made them; of published runs for at '
    'least 35 days after other lists replaced them. Filter by run_id.';
COMMENT ON COLUMN analytics.recommendations.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.recommendations.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.recommendations.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.recommendations.rank IS '1-based rank in the user''s list';
COMMENT ON COLUMN analytics.recommendations.item_id IS 'the shop''s id of the recommended item';
COMMENT ON COLUMN analytics.recommendations.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.recommendations.source IS
    'source of the recommendation: pinned (put first by a rule), queries (a generated query), '
    'co_purchase (bought by buyers of '
    'from_item_id), history_titles (found by the title of from_item_id), sequence (bought after '
    'the user''s sequence of purchases, which ends with from_item_id), backfill (a deeper hit '
    'of a generated query), query_vectors and title_vectors (near a generated query, or the '
    'title of from_item_id, by vectors), last_title (newest bought title as the query) or popular; '
    'if several '
    'sources found the item, the one with the largest share of fused_score';
COMMENT ON COLUMN analytics.recommendations.is_fallback IS
    'whether the recommendation is a fallback: source last_title or popular';
COMMENT ON COLUMN analytics.recommendations.query_id IS
    'number of the query text, the same in all views and runs; NULL: source is co_purchase, '
    'sequence, popular or pinned';
COMMENT ON COLUMN analytics.recommendations.query IS
    'query that found the item; NULL: source is co_purchase, sequence, popular or pinned';
COMMENT ON COLUMN analytics.recommendations.query_rank IS
    'rank of that query among those generated for the user; NULL: the query was not generated, or '
    'there is none';
COMMENT ON COLUMN analytics.recommendations.hit_rank IS
    '1-based rank among the hits of the query (co_purchase: among the neighbours of '
    'from_item_id; sequence: among the items that the list may have); NULL: source is popular or '
    'pinned';
COMMENT ON COLUMN analytics.recommendations.score IS
    'BM25 score of the hit; scores of different queries cannot be compared (co_purchase: '
    'similarity, 0 to 1; query_vectors and title_vectors: cosine of the two texts'' vectors; '
    'sequence: score of the re-ranker); NULL: source is popular or pinned';
COMMENT ON COLUMN analytics.recommendations.index_name IS
    'name of the Elasticsearch index that was searched';
COMMENT ON COLUMN analytics.recommendations.from_item_id IS
    'bought item whose neighbour the item is, whose title found it, or that ends the sequence '
    'that found it; NULL: source is not co_purchase, history_titles, '
    'title_vectors or sequence';
COMMENT ON COLUMN analytics.recommendations.from_title IS
    'cleaned title of from_item_id; NULL: none usable, or from_item_id is NULL';
COMMENT ON COLUMN analytics.recommendations.fused_score IS
    'sum, over the run''s sources, of weighted scores, weighted reciprocal ranks or learned '
    'contributions (run_sources.fusion), the last of which may be negative; sorts the fused '
    'items, which come first after pinned ones; NULL: source is pinned, backfill, last_title or '
    'popular, or queries are the only source';
COMMENT ON COLUMN analytics.recommendations.minimum_should_match IS
    'number or percentage of a generated query''s terms that a title must contain, e.g. 2 or '
    '75%; 1: one term is enough; also 1 if no generated query found the item';
COMMENT ON COLUMN analytics.recommendations.promoted_by IS
    'name of the rule that pinned the item or moved it up, see view promotion_rules; NULL: '
    'none did';
COMMENT ON COLUMN analytics.recommendations.merge_rank IS
    '1-based rank that the item has among the user''s candidates without the re-ranker; NULL: '
    'pinned, fallback, or the run has no re-ranker or no purchase of the user to read';
COMMENT ON COLUMN analytics.recommendations.rerank_score IS
    'score of the item by the re-ranker, minus its mean over the user''s candidates; NULL: pinned, '
    'fallback, or the run has no re-ranker or no purchase of the user to read';
COMMENT ON COLUMN analytics.recommendations.holdback_arm IS
    'group of the run''s holdback that the user is in: paper or popularity; NULL: not held back';
COMMENT ON COLUMN analytics.recommendations.search_fields IS
    'fields searched beside the title with their weights, e.g. {"brand": 0.3}; {}: titles '
    'alone; also {} if no generated query found the item';
COMMENT ON COLUMN analytics.recommendations.encoder_hash IS
    'content hash of the encoder by whose vectors the item was found; empty: by words or by no '
    'search';
