CREATE VIEW analytics.run_sources (
    run_id, logical_date, candidate_source, weight,
    fusion
) AS
SELECT
    r.run_id, r.logical_date, coalesce(w.pair ->> 0, 'queries'), coalesce((w.pair ->> 1)::real, 1),
    r.manifest -> 'fusion' ->> 'method'
FROM public.runs AS r
LEFT JOIN LATERAL jsonb_array_elements(r.manifest -> 'fusion' -> 'weights') AS w(pair) ON true;

COMMENT ON VIEW analytics.run_sources IS 'One row per run and source of candidates for its lists.';
COMMENT ON COLUMN analytics.run_sources.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_sources.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_sources.candidate_source IS
    'source of candidates: queries, co_purchase, history_titles, sequence, query_vectors '
    'or title_vectors';
COMMENT ON COLUMN analytics.run_sources.weight IS
    'weight of the source in fused_score (with learned fusion only whether it is used); 0: the '
    'source is not used';
COMMENT ON COLUMN analytics.run_sources.fusion IS
    'what is summed over the sources: scores, ranks or learned (features times coefficients); '
    'NULL: queries are the only source';
