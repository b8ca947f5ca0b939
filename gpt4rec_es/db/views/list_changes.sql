-- Counted by a lateral subquery, so that only the partitions of two runs are read.
CREATE VIEW analytics.list_changes (
    run_id, logical_date, previous_run_id, compared_user_count, changed_user_count,
    kept_recommendation_count, gained_recommendation_count, lost_recommendation_count
) AS
SELECT
    r.run_id, r.logical_date, b.run_id, c.n_users, c.n_changed, c.n_kept, c.n_gained, c.n_lost
FROM public.runs AS r
CROSS JOIN LATERAL (
    SELECT p.run_no, p.run_id
    FROM public.daily_runs AS day
    JOIN public.runs AS p USING (run_no)
    WHERE day.kind = r.kind AND day.logical_date < r.logical_date
    ORDER BY day.logical_date DESC
    LIMIT 1
) AS b
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS n_users,
        (count(*) FILTER (WHERE u.n_kept < u.n_now OR u.n_kept < u.n_before))::integer
            AS n_changed,
        coalesce(sum(u.n_kept), 0)::bigint AS n_kept,
        coalesce(sum(u.n_now - u.n_kept), 0)::bigint AS n_gained,
        coalesce(sum(u.n_before - u.n_kept), 0)::bigint AS n_lost
    FROM (
        SELECT
            count(n.item_no) AS n_now, count(o.item_no) AS n_before,
            count(*) FILTER (WHERE n.item_no = o.item_no) AS n_kept
        FROM (
            SELECT user_no, item_no FROM public.recommendations WHERE run_no = r.run_no
        ) AS n
        FULL JOIN (
            SELECT user_no, item_no FROM public.recommendations WHERE run_no = b.run_no
        ) AS o ON o.user_no = n.user_no AND o.item_no = n.item_no
        GROUP BY coalesce(n.user_no, o.user_no)
        HAVING count(n.item_no) > 0 AND count(o.item_no) > 0
    ) AS u
    HAVING count(*) > 0
) AS c;

COMMENT ON VIEW analytics.list_changes IS
    'One row per run with an earlier published night: its lists against those of that night, for '
    'the users that have a list in both. Filter by run_id. Goes when the lists of either run are '
    'pruned.';
COMMENT ON COLUMN analytics.list_changes.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.list_changes.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.list_changes.previous_run_id IS
    'name of the run that was published for the newest earlier date';
COMMENT ON COLUMN analytics.list_changes.compared_user_count IS
    'number of users with a list in both runs';
COMMENT ON COLUMN analytics.list_changes.changed_user_count IS
    'number of those users whose list has other items; the order does not count';
COMMENT ON COLUMN analytics.list_changes.kept_recommendation_count IS
    'number of (user, item) pairs in both runs';
COMMENT ON COLUMN analytics.list_changes.gained_recommendation_count IS
    'number of (user, item) pairs in the run and not in the earlier one';
COMMENT ON COLUMN analytics.list_changes.lost_recommendation_count IS
    'number of (user, item) pairs in the earlier run and not in the run';
