CREATE VIEW analytics.run_stages (
    run_id, logical_date, stage, shard_count, member_count, stage_finished_at, stage_duration_s
) AS
SELECT
    r.run_id, r.logical_date, s.stage, s.n_shards, s.n_members, s.finished_at,
    extract(epoch FROM s.finished_at - coalesce(
        lag(s.finished_at) OVER (PARTITION BY r.run_no ORDER BY s.finished_at, s.stage),
        r.planned_at))::real
FROM (
    SELECT
        run_no, stage, count(*)::integer AS n_shards, sum(n_members)::bigint AS n_members,
        max(finished_at) AS finished_at
    FROM public.shards
    WHERE state <> 'split'
    GROUP BY run_no, stage
    HAVING bool_and(state = 'done')
) AS s
JOIN public.runs AS r USING (run_no);

COMMENT ON VIEW analytics.run_stages IS
    'One row per run and finished stage. Goes when the run''s lists are pruned.';
COMMENT ON COLUMN analytics.run_stages.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_stages.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_stages.stage IS
    'stage of the run: generate, embed, search or merge';
COMMENT ON COLUMN analytics.run_stages.shard_count IS 'number of shards of the stage';
COMMENT ON COLUMN analytics.run_stages.member_count IS
    'number of prompts (generate), distinct queries (search) or users (embed, merge) that the '
    'stage processed; what could be reused is not among them';
COMMENT ON COLUMN analytics.run_stages.stage_finished_at IS
    'time the last shard of the stage was done';
COMMENT ON COLUMN analytics.run_stages.stage_duration_s IS
    'seconds from the end of the stage before, or the start of the run, to the end of the stage';
