CREATE VIEW analytics.recipe_uses (
    use_id, use_action, recipe_name, recipe_hash, is_shipped, is_newest_use, use_actor, use_reason,
    used_at
) AS
SELECT
    u.use_no, u.action, u.recipe_name, u.content_hash, u.recipe_no IS NULL,
    u.use_no = (SELECT max(n.use_no) FROM public.recipe_uses AS n), u.actor, u.reason, u.used_at
FROM public.recipe_uses AS u;

COMMENT ON VIEW analytics.recipe_uses IS
    'One row per change of the live recipe; no row: the shipped recipe default is live.';
COMMENT ON COLUMN analytics.recipe_uses.use_id IS 'number of the change, ascending in time';
COMMENT ON COLUMN analytics.recipe_uses.use_action IS
    'command that made the change: use, or undo (the recipe before)';
COMMENT ON COLUMN analytics.recipe_uses.recipe_name IS
    'name of the recipe that is live after the change';
COMMENT ON COLUMN analytics.recipe_uses.recipe_hash IS
    'SHA-256 (hex) of that recipe at that time';
COMMENT ON COLUMN analytics.recipe_uses.is_shipped IS
    'whether the recipe is a part of the program, and no row of recipes';
COMMENT ON COLUMN analytics.recipe_uses.is_newest_use IS 'whether this is the newest change';
COMMENT ON COLUMN analytics.recipe_uses.use_actor IS
    'operator that made the change (login name)';
COMMENT ON COLUMN analytics.recipe_uses.use_reason IS
    'reason that the operator gave; NULL: none';
COMMENT ON COLUMN analytics.recipe_uses.used_at IS 'time of the change';
