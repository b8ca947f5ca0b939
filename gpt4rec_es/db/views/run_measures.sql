CREATE VIEW analytics.run_measures (
    run_id, logical_date, measure, measured_value, measured_count, usual_value, measured_at
) AS
SELECT
    r.run_id, r.logical_date, m.measure, m.value, m.n, m.usual, m.measured_at
FROM public.run_measures AS m
JOIN public.runs AS r USING (run_no);

COMMENT ON VIEW analytics.run_measures IS
    'One row per run and measure: what gates measured of a night, as the fraction of places filled '
    'by fallbacks. Stays when the run''s lists are pruned.';
COMMENT ON COLUMN analytics.run_measures.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_measures.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_measures.measure IS
    'name of the measure, as fallback_places; docs/operations.md lists them';
COMMENT ON COLUMN analytics.run_measures.measured_value IS
    'the measured value; NULL: there was nothing to measure it on';
COMMENT ON COLUMN analytics.run_measures.measured_count IS
    'number of users, places, queries or items that the value is measured on';
COMMENT ON COLUMN analytics.run_measures.usual_value IS
    'median of the measure over the nights published last before the run by the same recipe, '
    'generator and rules, 7 at most; NULL: fewer than 3 have it';
COMMENT ON COLUMN analytics.run_measures.measured_at IS 'time of the measurement';
