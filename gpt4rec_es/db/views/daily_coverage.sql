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
    'One row per date and brand, category, or all items: coverage of the catalog by the date''s '
    'lists. Stays when the run''s lists are pruned.';
COMMENT ON COLUMN analytics.daily_coverage.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.daily_coverage.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.daily_coverage.coverage_of IS 'group of items: all, brand or category';
COMMENT ON COLUMN analytics.daily_coverage.coverage_value IS
    'the brand or category path; NULL: items without one, or all items';
COMMENT ON COLUMN analytics.daily_coverage.offered_item_count IS
    'number of items that could be recommended at the time of publishing';
COMMENT ON COLUMN analytics.daily_coverage.recommended_item_count IS
    'number of those items that were recommended to at least one user';
COMMENT ON COLUMN analytics.daily_coverage.given_recommendation_count IS
    'number of recommendations of those items';
