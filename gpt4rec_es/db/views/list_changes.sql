-- Counted by a lateral subquery, so that only the partitions of two runs are read. Lists are
-- compared as arrays: these come from an index in the order of users, so nothing is sorted or
-- hashed, and most are equal.
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
        (count(*) FILTER (WHERE l.n_kept < greatest(l.n_now, l.n_before)))::integer AS n_changed,
        sum(l.n_kept)::bigint AS n_kept,
        sum(l.n_now - l.n_kept)::bigint AS n_gained,
        sum(l.n_before - l.n_kept)::bigint AS n_lost
    FROM (
        SELECT
            cardinality(n.items) AS n_now, cardinality(o.items) AS n_before,
            CASE WHEN n.items = o.items THEN cardinality(n.items) ELSE (
                SELECT count(*) FROM unnest(n.items) AS item_no
                WHERE item_no = ANY (o.items)) END AS n_kept
        FROM (
            SELECT user_no, array_agg(item_no) AS items
            FROM public.recommendations WHERE run_no = r.run_no GROUP BY user_no
        ) AS n
        JOIN (
            SELECT user_no, array_agg(item_no) AS items
            FROM public.recommendations WHERE run_no = b.run_no GROUP BY user_no
        ) AS o USING (user_no)
        WHERE NOT EXISTS (
            SELECT FROM public.holdback_users AS h
            WHERE h.run_no IN (r.run_no, b.run_no) AND h.user_no = n.user_no)
        OFFSET 0
    ) AS l
    HAVING count(*) > 0
) AS c
WHERE r.finished_at IS NOT NULL;

COMMENT ON VIEW analytics.list_changes IS
    'One row per finished run with an earlier published night: its lists against those of that '
    'night, for the users that have a list in both and that neither run holds back. Filter by '
    'run_id. Goes when the lists of either run are pruned.';
COMMENT ON COLUMN analytics.list_changes.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.list_changes.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.list_changes.previous_run_id IS
    'name of the run that was published for the newest earlier date';
COMMENT ON COLUMN analytics.list_changes.compared_user_count IS
    'number of users with a list in both runs, without held-back ones';
COMMENT ON COLUMN analytics.list_changes.changed_user_count IS
    'number of those users whose list has other items; the order does not count';
COMMENT ON COLUMN analytics.list_changes.kept_recommendation_count IS
    'number of (user, item) pairs in both runs';
COMMENT ON COLUMN analytics.list_changes.gained_recommendation_count IS
    'number of (user, item) pairs in the run and not in the earlier one';
COMMENT ON COLUMN analytics.list_changes.lost_recommendation_count IS
    'number of (user, item) pairs in the earlier run and not in the run';
