-- Counted by a lateral subquery, so that only the partitions of the asked runs are read.
CREATE VIEW analytics.list_lengths (
    run_id, logical_date, listed_item_count, is_full_list, list_user_count, found_place_count
) AS
SELECT
    r.run_id, r.logical_date, l.n_recommended, l.n_recommended >= r.k, l.n_users, l.n_found
FROM public.runs AS r
CROSS JOIN LATERAL (
    SELECT
        o.n_recommended, count(*)::integer AS n_users,
        sum(o.n_found + o.n_pinned)::bigint AS n_found
    FROM public.user_outcomes AS o
    WHERE o.run_no = r.run_no
    GROUP BY o.n_recommended
) AS l;

COMMENT ON VIEW analytics.list_lengths IS
    'One row per run and length of lists: the number of users. Filter by run_id. Goes when the '
    'run''s lists are pruned.';
COMMENT ON COLUMN analytics.list_lengths.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.list_lengths.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.list_lengths.listed_item_count IS
    'number of recommendations, fallbacks included';
COMMENT ON COLUMN analytics.list_lengths.is_full_list IS
    'whether lists of this length have the run''s k recommendations';
COMMENT ON COLUMN analytics.list_lengths.list_user_count IS
    'number of users with a list of this length; length 0: users without a list';
COMMENT ON COLUMN analytics.list_lengths.found_place_count IS
    'number of recommendations in these lists that sources found or rules pinned; the others are '
    'fallbacks';
