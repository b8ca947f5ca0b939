CREATE VIEW analytics.run_promotions (
    run_id, logical_date, rule, rule_action, rule_kind, rule_value, promoted_places, rule_reason,
    promoted_item_count, listed_count, left_out_count
) AS
SELECT
    r.run_id, r.logical_date, u.rule, u.action, u.kind, u.value, u.places, u.reason,
    u.n_items, c.n,
    CASE WHEN u.action = 'pin' THEN (
        SELECT sum(n.n)::bigint FROM public.run_counts AS n
        WHERE n.run_no = u.run_no AND n.stage = 'merge' AND n.name = 'unpinned'
            AND starts_with(n.detail, u.rule || ', ')
    ) END
FROM public.run_rules AS u
JOIN public.runs AS r USING (run_no)
LEFT JOIN public.run_counts AS c ON c.run_no = u.run_no AND c.stage = 'merge'
    AND c.name = CASE u.action WHEN 'pin' THEN 'pinned' ELSE 'boosted' END
    AND c.detail = u.rule
WHERE u.action <> 'block';

COMMENT ON VIEW analytics.run_promotions IS
    'One row per run and rule that boosts or pins items in the run.';
COMMENT ON COLUMN analytics.run_promotions.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_promotions.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_promotions.rule IS 'name of the rule: ''rule'' and its number';
COMMENT ON COLUMN analytics.run_promotions.rule_action IS
    'boost: moves items up that sources found; pin: puts items at the beginning of lists';
COMMENT ON COLUMN analytics.run_promotions.rule_kind IS
    'what the rule promotes: item, brand or category';
COMMENT ON COLUMN analytics.run_promotions.rule_value IS
    'item id, brand, or category path (with all paths below it)';
COMMENT ON COLUMN analytics.run_promotions.promoted_places IS
    'boost: number of places that an item moves up; pin: most items of the rule per list';
COMMENT ON COLUMN analytics.run_promotions.rule_reason IS
    'reason for the rule, given by the operator';
COMMENT ON COLUMN analytics.run_promotions.promoted_item_count IS
    'number of items that the rule promotes';
COMMENT ON COLUMN analytics.run_promotions.listed_count IS
    'number of recommendations that the rule pinned or moved up; NULL: none, or the run is '
    'unfinished';
COMMENT ON COLUMN analytics.run_promotions.left_out_count IS
    'pin: number of places of lists that the rule was to have and has not, because another rule '
    'excluded its items or the list had no place left; NULL: none, a boost, or the run is '
    'unfinished';
