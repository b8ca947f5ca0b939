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
    AND c.name = 'removed' AND c.detail = u.rule;

COMMENT ON VIEW analytics.run_rules IS 'One row per run and rule that it keeps.';
COMMENT ON COLUMN analytics.run_rules.run_id IS 'the run';
COMMENT ON COLUMN analytics.run_rules.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.run_rules.rule IS
    'name of the rule: ''rule'' and its number, or that of a setting';
COMMENT ON COLUMN analytics.run_rules.rule_kind IS
    'item, brand or category that is blocked; filter: a setting of the run';
COMMENT ON COLUMN analytics.run_rules.rule_value IS
    'item id, brand, category path (with all below it), or the limit';
COMMENT ON COLUMN analytics.run_rules.rule_reason IS 'why; NULL: a setting of the run';
COMMENT ON COLUMN analytics.run_rules.blocked_item_count IS
    'items that it keeps out of all lists; 0: it depends on the user or the list';
COMMENT ON COLUMN analytics.run_rules.removed_count IS
    'times it kept an item out of a user''s list, an item once per list; NULL: never, or the run '
    'is unfinished';
