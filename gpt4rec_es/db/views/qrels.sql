CREATE VIEW analytics.qrels (
    split_name, part, user_id, item_id, known_item_count
) AS
SELECT
    s.name, c.part, u.shown_id, i.item_id, cardinality(c.history)
FROM public.splits AS s
JOIN public.split_eval_users AS c USING (split_no)
JOIN public.users AS u USING (user_no)
CROSS JOIN unnest(c.targets) AS t (item_no)
JOIN public.items AS i ON i.item_no = t.item_no;

COMMENT ON VIEW analytics.qrels IS
    'One row per split, part, user and held-out item. Filter by split_name.';
COMMENT ON COLUMN analytics.qrels.split_name IS 'name of the split';
COMMENT ON COLUMN analytics.qrels.part IS 'part of the split: validation or test';
COMMENT ON COLUMN analytics.qrels.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.qrels.item_id IS 'the shop''s id of the held-out item';
COMMENT ON COLUMN analytics.qrels.known_item_count IS
    'number of the user''s items in the known history';
