CREATE VIEW analytics.daily_items (
    run_id, logical_date, item_id, title, recommended_user_count, by_query_count
) AS
SELECT
    r.run_id, day.logical_date, i.item_id, i.title, d.n_users, d.n_by_query
FROM public.daily_runs AS day
JOIN public.runs AS r ON r.run_no = day.run_no AND day.kind = 'nightly'
JOIN public.daily_items AS d ON d.run_no = day.run_no
JOIN public.items AS i ON i.item_no = d.item_no;

COMMENT ON VIEW analytics.daily_items IS
    'One row per date and recommended item. Stays when the run''s lists are pruned.';
COMMENT ON COLUMN analytics.daily_items.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.daily_items.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.daily_items.item_id IS 'the shop''s item id';
COMMENT ON COLUMN analytics.daily_items.title IS 'cleaned title; NULL: none usable';
COMMENT ON COLUMN analytics.daily_items.recommended_user_count IS
    'number of users that the item was recommended to';
COMMENT ON COLUMN analytics.daily_items.by_query_count IS
    'number of those users whose recommendation has a query_rank: a generated query found '
    'the item (source queries or backfill)';
