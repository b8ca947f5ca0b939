CREATE VIEW analytics.gate_results (
    run_id, logical_date, gate, has_passed, measured, required, checked_at, importance,
    is_blocking, failure_reason
) AS
SELECT
    r.run_id, r.logical_date, g.gate, g.passed, g.measured, g.required, g.checked_at,
    g.importance, g.is_blocking, g.reason
FROM public.gate_results AS g
JOIN public.runs AS r USING (run_no);

COMMENT ON VIEW analytics.gate_results IS 'One row per run and gate: the checks before publishing.';
COMMENT ON COLUMN analytics.gate_results.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.gate_results.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.gate_results.gate IS 'name of the gate';
COMMENT ON COLUMN analytics.gate_results.has_passed IS 'whether the run passed the gate';
COMMENT ON COLUMN analytics.gate_results.measured IS 'value that was measured';
COMMENT ON COLUMN analytics.gate_results.required IS 'value that is required';
COMMENT ON COLUMN analytics.gate_results.checked_at IS 'time of the check';
COMMENT ON COLUMN analytics.gate_results.importance IS
    '1-based place among the gates, the most important first; NULL: not known';
COMMENT ON COLUMN analytics.gate_results.is_blocking IS
    'whether a run that does not pass is rejected; false: it is only a warning';
COMMENT ON COLUMN analytics.gate_results.failure_reason IS
    'what a run that does not pass probably suffers from; NULL: not known';
