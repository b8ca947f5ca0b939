CREATE VIEW analytics.run_sources (
    run_id, logical_date, candidate_source, weight,
    fusion
) AS
SELECT
    r.run_id, r.logical_date, coalesce(w.pair ->> 0, 'queries'), coalesce((w.pair ->> 1)::real, 1),
    r.manifest -> 'fusion' ->> 'method'
FROM public.runs AS r
LEFT JOIN LATERAL jsonb_array_elements(r.manifest -> 'fusion' -> 'weights') AS w(pair) ON true;

COMMENT ON VIEW analytics.run_sources IS
    'One row per run and source of candidates that its lists are made from.';
COMMENT ON COLUMN analytics.run_sources.run_id IS 'the run';
COMMENT ON COLUMN analytics.run_sources.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_sources.candidate_source IS 'queries, co_purchase or titles';
COMMENT ON COLUMN analytics.run_sources.weight IS 'weight of the source; 0: it has no say';
COMMENT ON COLUMN analytics.run_sources.fusion IS
    'scores or ranks: what is added up; NULL: queries are the only source';
