CREATE VIEW analytics.list_trial_changes (
    trial_id, changed_kind, changed_direction, changed_place, query, item_id, title,
    users_before, users_now
) AS
SELECT
    c.trial_no, c.kind, c.direction, c.place, c.query, i.item_id, i.title, c.users_before,
    c.users_now
FROM public.list_trial_changes AS c
LEFT JOIN public.items AS i USING (item_no);

COMMENT ON VIEW analytics.list_trial_changes IS
    'One row per query or item that the best recipe of a trial gives to more or fewer test users '
    'than the recipe that was live; the largest changes alone. An older trial has none.';
COMMENT ON COLUMN analytics.list_trial_changes.trial_id IS 'number of the trial';
COMMENT ON COLUMN analytics.list_trial_changes.changed_kind IS
    'query (searched for users), item (in lists) or purchase (held-out item that a list has)';
COMMENT ON COLUMN analytics.list_trial_changes.changed_direction IS
    'gained (more users with the best recipe) or lost (fewer)';
COMMENT ON COLUMN analytics.list_trial_changes.changed_place IS
    '1-based rank by size of the change, largest first';
COMMENT ON COLUMN analytics.list_trial_changes.query IS
    'text of the query, of 2 users or more; NULL: the row is of an item';
COMMENT ON COLUMN analytics.list_trial_changes.item_id IS
    'the shop''s item id; NULL: the row is of a query';
COMMENT ON COLUMN analytics.list_trial_changes.title IS
    'title of the item; NULL: it has none, or the row is of a query';
COMMENT ON COLUMN analytics.list_trial_changes.users_before IS
    'number of test users with it by the recipe that was live';
COMMENT ON COLUMN analytics.list_trial_changes.users_now IS
    'number of test users with it by the best recipe';
