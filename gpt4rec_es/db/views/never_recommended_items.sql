CREATE VIEW analytics.never_recommended_items (
    item_id, title, brand, category
) AS
SELECT
    i.item_id, i.title, i.brand, i.category
FROM public.items AS i
WHERE i.is_active AND i.title IS NOT NULL AND NOT EXISTS (
    SELECT FROM public.daily_items AS d JOIN public.daily_runs AS day USING (run_no)
    WHERE d.item_no = i.item_no);

COMMENT ON VIEW analytics.never_recommended_items IS
    'One row per active item with a usable title that is in no row of daily_items.';
COMMENT ON COLUMN analytics.never_recommended_items.item_id IS 'the shop''s item id';
COMMENT ON COLUMN analytics.never_recommended_items.title IS 'cleaned title';
COMMENT ON COLUMN analytics.never_recommended_items.brand IS 'brand; NULL: unknown';
COMMENT ON COLUMN analytics.never_recommended_items.category IS
    'category path, levels joined by '' > ''; NULL: unknown';
