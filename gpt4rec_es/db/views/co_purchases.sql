CREATE VIEW analytics.co_purchases (
    item_id, title, neighbour_rank, neighbour_item_id, neighbour_title, similarity
) AS
SELECT
    i.item_id, i.title, n.rank::integer, j.item_id, j.title, n.cosine
FROM public.co_purchases AS c
JOIN public.items AS i ON i.item_no = c.item_no
CROSS JOIN LATERAL unnest(c.neighbour_nos, c.similarities)
    WITH ORDINALITY AS n (item_no, cosine, rank)
JOIN public.items AS j ON j.item_no = n.item_no
WHERE c.set_no = (
    SELECT s.set_no FROM public.co_purchase_sets AS s
    ORDER BY s.history_version DESC, s.set_no DESC LIMIT 1);

COMMENT ON VIEW analytics.co_purchases IS
    'One row per item and neighbour: what the same users buy. Filter by item_id.';
COMMENT ON COLUMN analytics.co_purchases.item_id IS 'the shop''s item id';
COMMENT ON COLUMN analytics.co_purchases.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.co_purchases.neighbour_rank IS
    '1-based place among the neighbours of the item';
COMMENT ON COLUMN analytics.co_purchases.neighbour_item_id IS 'item that its buyers also bought';
COMMENT ON COLUMN analytics.co_purchases.neighbour_title IS 'title of that item; NULL: none usable';
COMMENT ON COLUMN analytics.co_purchases.similarity IS
    'how strongly the item speaks for its neighbour, 0 to 1: users who bought both, the nearer '
    'together and in this order the more, by buyers of each';
