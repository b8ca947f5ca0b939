CREATE VIEW analytics.purchases (
    user_id, item_id, title, purchased_at, purchase_rating
) AS
SELECT u.shown_id, i.item_id, i.title, p.event_at, p.rating
FROM public.interactions AS p
JOIN public.users AS u ON u.user_no = p.user_no
JOIN public.items AS i ON i.item_no = p.item_no;

COMMENT ON VIEW analytics.purchases IS
    'One row per imported purchase of an item by a user. Filter by user_id or item_id.';
COMMENT ON COLUMN analytics.purchases.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.purchases.item_id IS 'the shop''s id of the bought item';
COMMENT ON COLUMN analytics.purchases.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.purchases.purchased_at IS
    'time of the purchase; NULL: only its order is known';
COMMENT ON COLUMN analytics.purchases.purchase_rating IS
    'rating of the item by the user, as delivered; NULL: none';
