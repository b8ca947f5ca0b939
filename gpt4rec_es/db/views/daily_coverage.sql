CREATE VIEW analytics.daily_coverage (
    run_id, logical_date, coverage_of, coverage_value, offered_item_count, recommended_item_count,
    given_recommendation_count
) AS
SELECT
    r.run_id, day.logical_date, d.of, nullif(d.value, ''), d.n_items, d.n_recommended_items,
    d.n_recommendations
FROM public.daily_runs AS day
JOIN public.runs AS r ON r.run_no = day.run_no AND day.kind = 'nightly'
JOIN public.daily_coverage AS d ON d.run_no = day.run_no;

COMMENT ON VIEW analytics.daily_coverage IS
    'One row per date and brand, category, or all: how much of the catalog shows. Outlives the '
    'run''s lists.';
COMMENT ON COLUMN analytics.daily_coverage.run_id IS 'the run';
COMMENT ON COLUMN analytics.daily_coverage.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.daily_coverage.coverage_of IS 'all, brand or category';
COMMENT ON COLUMN analytics.daily_coverage.coverage_value IS
    'the brand or category path; NULL: items without one, or all items';
COMMENT ON COLUMN analytics.daily_coverage.offered_item_count IS
    'items that could be recommended at the time of publishing';
COMMENT ON COLUMN analytics.daily_coverage.recommended_item_count IS
    'of those, items recommended to anybody';
COMMENT ON COLUMN analytics.daily_coverage.given_recommendation_count IS 'recommendations of those';
