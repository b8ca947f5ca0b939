CREATE VIEW analytics.trial_queries (
    trial_id, direction, place, user_id, query, item_id, title, rank_before,
    rank_after
) AS
SELECT
    t.trial_no, t.direction, t.place, u.shown_id, t.query, i.item_id, i.title, t.rank_before,
    t.rank_after
FROM public.trial_queries AS t
JOIN public.users AS u USING (user_no)
JOIN public.items AS i USING (item_no);

COMMENT ON VIEW analytics.trial_queries IS
    'One row per query whose held-out item changes rank most with a trial''s best k1, b.';
COMMENT ON COLUMN analytics.trial_queries.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.trial_queries.direction IS 'gained (better rank) or lost (worse rank)';
COMMENT ON COLUMN analytics.trial_queries.place IS
    '1-based rank by size of the change, largest first';
COMMENT ON COLUMN analytics.trial_queries.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.trial_queries.query IS 'text of the generated query';
COMMENT ON COLUMN analytics.trial_queries.item_id IS 'the shop''s id of the held-out item';
COMMENT ON COLUMN analytics.trial_queries.title IS 'title of the held-out item';
COMMENT ON COLUMN analytics.trial_queries.rank_before IS
    'rank of the item among the hits with the live k1, b; NULL: beyond 100';
COMMENT ON COLUMN analytics.trial_queries.rank_after IS
    'rank of the item among the hits with the best k1, b; NULL: beyond 100';
