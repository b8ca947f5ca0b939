-- A scalar subquery and not a join: its value is known before the partitions are opened, so only
-- those of the published run are read.
CREATE VIEW analytics.latest_recommendations (
    run_id, logical_date, user_id, rank, item_id, title, source,
    is_fallback, query_id, query, query_rank, hit_rank, score,
    index_name, from_item_id, from_title, fused_score,
    minimum_should_match
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, c.rank, i.item_id, i.title, c.source,
    c.source IN ('last_title', 'popular'), q.query_no, q.text, c.query_rank, c.hit_rank, c.score,
    b.index_name, f.item_id, f.title, c.fused_score,
    CASE WHEN c.query_rank IS NULL THEN '1'
        ELSE coalesce(o.options ->> 'minimum_should_match', '1') END
FROM public.recommendations AS c
JOIN public.runs AS r ON r.run_no = c.run_no
LEFT JOIN public.search_options AS o ON o.options_no = r.search_options_no
JOIN public.builds AS b ON b.build_no = r.build_no
JOIN public.users AS u ON u.user_no = c.user_no
JOIN public.items AS i ON i.item_no = c.item_no
LEFT JOIN public.queries AS q ON q.query_no = c.query_no
LEFT JOIN public.items AS f ON f.item_no = c.from_item_no
WHERE c.run_no = (SELECT p.run_no FROM public.publications AS p WHERE p.kind = 'nightly')
    AND i.is_active;

COMMENT ON VIEW analytics.latest_recommendations IS
    'One row per user and rank of the published run. Items deactivated since are left out, so '
    'ranks may have gaps.';
COMMENT ON COLUMN analytics.latest_recommendations.run_id IS 'the run';
COMMENT ON COLUMN analytics.latest_recommendations.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.latest_recommendations.user_id IS
    'the shop''s user id, or its pseudonym where the database says so';
COMMENT ON COLUMN analytics.latest_recommendations.rank IS '1-based place in the user''s list';
COMMENT ON COLUMN analytics.latest_recommendations.item_id IS 'the shop''s item id';
COMMENT ON COLUMN analytics.latest_recommendations.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.latest_recommendations.source IS
    'queries (a generated query), co_purchase (bought by buyers of from_item_id), history_titles '
    '(found by the title of from_item_id), backfill (a deeper hit of a generated query), '
    'last_title (newest bought title as the query) or popular; of several sources the one that '
    'speaks most for the item';
COMMENT ON COLUMN analytics.latest_recommendations.is_fallback IS
    'whether no source of the run found it: source last_title or popular';
COMMENT ON COLUMN analytics.latest_recommendations.query_id IS
    'number of the query text, the same in every view and run; NULL: co_purchase, popular';
COMMENT ON COLUMN analytics.latest_recommendations.query IS
    'the query that found the item; NULL: co_purchase, popular';
COMMENT ON COLUMN analytics.latest_recommendations.query_rank IS
    'rank of that query among those generated for the user; NULL: it was not generated, or none';
COMMENT ON COLUMN analytics.latest_recommendations.hit_rank IS
    '1-based place among the hits of the query (co_purchase: among the neighbours of '
    'from_item_id); NULL: popular';
COMMENT ON COLUMN analytics.latest_recommendations.score IS
    'BM25 score of the hit; scores of different queries cannot be compared (co_purchase: '
    'similarity, 0 to 1); NULL: popular';
COMMENT ON COLUMN analytics.latest_recommendations.index_name IS
    'name of the Elasticsearch index that was searched';
COMMENT ON COLUMN analytics.latest_recommendations.from_item_id IS
    'bought item that it is a neighbour of, or whose title found it; NULL: source is neither '
    'co_purchase nor history_titles';
COMMENT ON COLUMN analytics.latest_recommendations.from_title IS
    'title of that item; NULL: none usable, or no such item';
COMMENT ON COLUMN analytics.latest_recommendations.fused_score IS
    'weighted sum over the run''s sources, by which its lists are ordered; NULL: fallback, or '
    'queries are the only source';
COMMENT ON COLUMN analytics.latest_recommendations.minimum_should_match IS
    'how many of a generated query''s terms a title must have, as 2 or 75%; 1: any is enough';
