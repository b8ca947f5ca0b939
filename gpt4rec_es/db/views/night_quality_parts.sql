CREATE VIEW analytics.night_quality_parts (
    run_id, logical_date, list_age_days, part_kind, part_value, part_count, part_hit_count,
    part_hit_fraction
) AS
SELECT
    r.run_id, r.logical_date, p.age_days, p.part, p.value, p.n_judged, p.n_hits,
    (p.n_hits::double precision / nullif(p.n_judged, 0))::real
FROM public.quality_parts AS p
JOIN public.runs AS r ON r.run_no = p.run_no AND r.state = 'published';

COMMENT ON VIEW analytics.night_quality_parts IS
    'One row per published run, age of its lists and rank, source or outcome, as of the last '
    'measurement: which recommendations to users that bought something new were bought.';
COMMENT ON COLUMN analytics.night_quality_parts.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.night_quality_parts.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.night_quality_parts.list_age_days IS
    'number of days after the start of the run whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN analytics.night_quality_parts.part_kind IS
    'what the row is about: rank (in lists), source (of recommendations) or outcome (of users; '
    'all but ok have fallbacks only)';
COMMENT ON COLUMN analytics.night_quality_parts.part_value IS 'the rank, source or outcome';
COMMENT ON COLUMN analytics.night_quality_parts.part_count IS
    'number of recommendations (part_kind outcome: users) of users that bought something new';
COMMENT ON COLUMN analytics.night_quality_parts.part_hit_count IS
    'number of those that were bought (part_kind outcome: users that bought an item of their list)';
COMMENT ON COLUMN analytics.night_quality_parts.part_hit_fraction IS
    'part_hit_count / part_count; NULL: none judged';
