CREATE VIEW analytics.run_work (
    run_id, logical_date, stage, work_name, work_detail, work_count
) AS
SELECT r.run_id, r.logical_date, c.stage, c.name, nullif(c.detail, ''), c.n
FROM public.run_counts AS c
JOIN public.runs AS r USING (run_no);

COMMENT ON VIEW analytics.run_work IS
    'One row per run, stage and kind of work: how much was done. A run has rows once it ended; '
    'they stay when its lists are pruned.';
COMMENT ON COLUMN analytics.run_work.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_work.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_work.stage IS
    'stage of the run: generate, embed, search or merge';
COMMENT ON COLUMN analytics.run_work.work_name IS
    'what is counted: members (prompts, queries or users of the stage), tokens, queries and '
    'searches that the run made itself and did not reuse, users by outcome, listed '
    'recommendations by source, and what rules and failures did';
COMMENT ON COLUMN analytics.run_work.work_detail IS
    'outcome, source, rule or error that is counted; NULL: the count has no such part';
COMMENT ON COLUMN analytics.run_work.work_count IS 'the number';
