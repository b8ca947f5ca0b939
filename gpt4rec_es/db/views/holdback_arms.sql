-- Counted by a lateral subquery, so that only the partitions of the asked runs are read.
CREATE VIEW analytics.holdback_arms (
    run_id, logical_date, holdback_arm, held_back_user_count, held_back_place_count
) AS
SELECT
    r.run_id, r.logical_date, a.arm, a.n_users, a.n_places
FROM public.runs AS r
CROSS JOIN LATERAL (
    SELECT h.arm, count(*)::integer AS n_users, sum(o.n_recommended)::bigint AS n_places
    FROM public.holdback_users AS h
    JOIN public.user_outcomes AS o ON o.run_no = h.run_no AND o.user_no = h.user_no
    WHERE h.run_no = r.run_no AND o.run_no = r.run_no
    GROUP BY h.arm
) AS a;

COMMENT ON VIEW analytics.holdback_arms IS
    'One row per run with a holdback and arm: its users and their lists. A pruned run has none.';
COMMENT ON COLUMN analytics.holdback_arms.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.holdback_arms.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.holdback_arms.holdback_arm IS
    'paper (a plain merge of queries), popularity (popular items) or none (no list)';
COMMENT ON COLUMN analytics.holdback_arms.held_back_user_count IS
    'number of the run''s users in the arm';
COMMENT ON COLUMN analytics.holdback_arms.held_back_place_count IS
    'length of their lists, summed';
