CREATE VIEW analytics.items (
    item_id, title, raw_title, brand, category, price, is_active, has_title, is_trainable,
    changed_at, description
) AS
SELECT
    item_id, title, title_raw, brand, category, price, is_active, title IS NOT NULL, is_trainable,
    updated_at, description
FROM public.items;

COMMENT ON VIEW analytics.items IS 'One row per catalog item in its current state.';
COMMENT ON COLUMN analytics.items.item_id IS 'the shop''s item id';
COMMENT ON COLUMN analytics.items.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.items.raw_title IS 'title as delivered; NULL: none delivered';
COMMENT ON COLUMN analytics.items.brand IS 'brand; NULL: unknown';
COMMENT ON COLUMN analytics.items.category IS
    'category path, levels joined by '' > ''; NULL: unknown';
COMMENT ON COLUMN analytics.items.price IS 'price in the catalog''s currency; NULL: unknown';
COMMENT ON COLUMN analytics.items.is_active IS 'whether the item may be recommended';
COMMENT ON COLUMN analytics.items.has_title IS
    'whether the item has a usable title; only then can searches find it';
COMMENT ON COLUMN analytics.items.is_trainable IS
    'whether the language model may be trained on the title';
COMMENT ON COLUMN analytics.items.changed_at IS 'time of the last import that changed the item';
COMMENT ON COLUMN analytics.items.description IS
    'cleaned description, its first 4,000 characters; NULL: none';
