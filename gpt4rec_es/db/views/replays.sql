CREATE VIEW analytics.replays (
    replay_id, run_id, logical_date, changed_settings, replay_k, used_queries, k1,
    b, replay_excludes_bought, replayed_users, replayed_count, search_count,
    is_equal, differing_rows, equal_list_count, mean_jaccard, jaccard_deciles,
    replay_actor, replayed_at, minimum_should_match
) AS
SELECT
    p.replay_no, r.run_id, r.logical_date, p.changed, p.k, p.num_queries::integer, p.k1::real,
    p.b::real, p.exclude_bought, p.n_users, p.n_recommendations, p.n_searches,
    p.differing_rows = 0, p.differing_rows, p.equal_lists, p.mean_jaccard, p.jaccard_deciles,
    p.actor, p.replayed_at, coalesce(p.minimum_should_match, '1')
FROM public.replays AS p
JOIN public.runs AS r USING (run_no);

COMMENT ON VIEW analytics.replays IS
    'One row per replay: a run merged again from stored queries with other settings.';
COMMENT ON COLUMN analytics.replays.replay_id IS 'number of the replay';
COMMENT ON COLUMN analytics.replays.run_id IS 'the run that was merged again';
COMMENT ON COLUMN analytics.replays.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.replays.changed_settings IS
    'JSON: what was changed, by name of the run''s input: [then, now]';
COMMENT ON COLUMN analytics.replays.replay_k IS 'items per user in the replay';
COMMENT ON COLUMN analytics.replays.used_queries IS 'queries per user that were used';
COMMENT ON COLUMN analytics.replays.k1 IS 'BM25 k1 of the replay';
COMMENT ON COLUMN analytics.replays.b IS 'BM25 b of the replay';
COMMENT ON COLUMN analytics.replays.replay_excludes_bought IS 'whether bought items were left out';
COMMENT ON COLUMN analytics.replays.replayed_users IS 'users merged';
COMMENT ON COLUMN analytics.replays.replayed_count IS 'recommendations of the replay';
COMMENT ON COLUMN analytics.replays.search_count IS 'searches made, beyond the stored ones';
COMMENT ON COLUMN analytics.replays.is_equal IS 'whether all rows are those of the run';
COMMENT ON COLUMN analytics.replays.differing_rows IS
    'rows, stored or replayed, without an equal on the other side';
COMMENT ON COLUMN analytics.replays.equal_list_count IS 'users whose list stayed the same';
COMMENT ON COLUMN analytics.replays.mean_jaccard IS
    'mean over users of common items by all items of both lists; NULL: no lists';
COMMENT ON COLUMN analytics.replays.jaccard_deciles IS
    'the same at 0, 10, ... 100 % of users; empty: no lists';
COMMENT ON COLUMN analytics.replays.replay_actor IS 'who replayed it';
COMMENT ON COLUMN analytics.replays.replayed_at IS 'time of the replay';
COMMENT ON COLUMN analytics.replays.minimum_should_match IS
    'how many of a generated query''s terms a title must have, as 2 or 75%; 1: any is enough';
