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
    'One row per item and neighbour: items bought by the same users. Filter by item_id.';
COMMENT ON COLUMN analytics.co_purchases.item_id IS 'the shop''s id of the bought item';
COMMENT ON COLUMN analytics.co_purchases.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.co_purchases.neighbour_rank IS
    '1-based rank among the neighbours of the item, by similarity';
COMMENT ON COLUMN analytics.co_purchases.neighbour_item_id IS
    'the shop''s id of an item that buyers of item_id also bought';
COMMENT ON COLUMN analytics.co_purchases.neighbour_title IS
    'cleaned title of the neighbour; NULL: none usable';
COMMENT ON COLUMN analytics.co_purchases.similarity IS
    'similarity of the two items, 0 to 1: sum over users that bought both, weighted by order and '
    'number of baskets between, divided by the numbers of buyers';
