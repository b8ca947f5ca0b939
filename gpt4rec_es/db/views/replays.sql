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
    'One row per replay: a run''s stored queries merged again with other settings.';
COMMENT ON COLUMN analytics.replays.replay_id IS 'number of the replay';
COMMENT ON COLUMN analytics.replays.run_id IS 'name of the run that was merged again';
COMMENT ON COLUMN analytics.replays.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.replays.changed_settings IS
    'JSON: inputs that differ, by dotted name: [value in the run, value in the replay]';
COMMENT ON COLUMN analytics.replays.replay_k IS 'maximum number of items per user in the replay';
COMMENT ON COLUMN analytics.replays.used_queries IS 'number of queries per user in the replay';
COMMENT ON COLUMN analytics.replays.k1 IS 'BM25 k1 of the replay''s index';
COMMENT ON COLUMN analytics.replays.b IS 'BM25 b of the replay''s index';
COMMENT ON COLUMN analytics.replays.replay_excludes_bought IS
    'whether items that the user bought before were left out';
COMMENT ON COLUMN analytics.replays.replayed_users IS 'number of users in the replay';
COMMENT ON COLUMN analytics.replays.replayed_count IS 'number of recommendations of the replay';
COMMENT ON COLUMN analytics.replays.search_count IS
    'number of searches that were not stored and had to be made';
COMMENT ON COLUMN analytics.replays.is_equal IS
    'whether the replayed rows equal the run''s stored rows';
COMMENT ON COLUMN analytics.replays.differing_rows IS
    'number of rows, stored or replayed, without an equal row on the other side';
COMMENT ON COLUMN analytics.replays.equal_list_count IS
    'number of users with equal stored and replayed lists';
COMMENT ON COLUMN analytics.replays.mean_jaccard IS
    'Jaccard similarity of stored and replayed list, mean over users; NULL: no lists';
COMMENT ON COLUMN analytics.replays.jaccard_deciles IS
    '11 quantiles (0, 10, ... 100 %) over users of the Jaccard similarity of stored and '
    'replayed list; empty: no lists';
COMMENT ON COLUMN analytics.replays.replay_actor IS 'operator that started the replay (login name)';
COMMENT ON COLUMN analytics.replays.replayed_at IS 'time of the replay';
COMMENT ON COLUMN analytics.replays.minimum_should_match IS
    'number or percentage of a generated query''s terms that a title must contain, e.g. 2 or '
    '75%; 1: one term is enough';
