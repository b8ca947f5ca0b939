CREATE VIEW analytics.run_rules (
    run_id, logical_date, rule, rule_kind, rule_value, rule_reason, blocked_item_count,
    removed_count
) AS
SELECT
    r.run_id, r.logical_date, u.rule, u.kind, u.value, u.reason, u.n_items,
    c.n
FROM public.run_rules AS u
JOIN public.runs AS r USING (run_no)
LEFT JOIN public.run_counts AS c ON c.run_no = u.run_no AND c.stage = 'merge'
    AND c.name = 'removed' AND c.detail = u.rule
WHERE u.action = 'block';

COMMENT ON VIEW analytics.run_rules IS 'One row per run and rule that the run applies.';
COMMENT ON COLUMN analytics.run_rules.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.run_rules.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_rules.rule IS
    'name of the rule: ''rule'' and its number, or the name of a setting';
COMMENT ON COLUMN analytics.run_rules.rule_kind IS
    'what the rule blocks: item, brand or category; filter: a setting of the run';
COMMENT ON COLUMN analytics.run_rules.rule_value IS
    'item id, brand, category path (with all paths below it), or the limit';
COMMENT ON COLUMN analytics.run_rules.rule_reason IS
    'reason for the rule; NULL: it is a setting of the run';
COMMENT ON COLUMN analytics.run_rules.blocked_item_count IS
    'number of items that the rule removes from all lists; 0: they depend on user or list';
COMMENT ON COLUMN analytics.run_rules.removed_count IS
    'number of (user, item) pairs that the rule removed; NULL: none, or the run is unfinished';
