CREATE VIEW analytics.block_rules (
    rule, rule_kind, rule_value, rule_reason, valid_from, valid_until, rule_actor, rule_added_at,
    rule_removed_at
) AS
SELECT
    'rule ' || rule_no, kind, value, reason, valid_from, valid_until, actor, created_at,
    removed_at
FROM public.block_rules;

COMMENT ON VIEW analytics.block_rules IS
    'One row per rule that blocks items, also those that were taken back.';
COMMENT ON COLUMN analytics.block_rules.rule IS
    'name of the rule: ''rule'' and its number, or that of a setting';
COMMENT ON COLUMN analytics.block_rules.rule_kind IS
    'item, brand or category that is blocked; filter: a setting of the run';
COMMENT ON COLUMN analytics.block_rules.rule_value IS
    'item id, brand, category path (with all below it), or the limit';
COMMENT ON COLUMN analytics.block_rules.rule_reason IS 'why; NULL: a setting of the run';
COMMENT ON COLUMN analytics.block_rules.valid_from IS
    'first date of a run that keeps it; NULL: from the start';
COMMENT ON COLUMN analytics.block_rules.valid_until IS 'last such date; NULL: for good';
COMMENT ON COLUMN analytics.block_rules.rule_actor IS 'who added it';
COMMENT ON COLUMN analytics.block_rules.rule_added_at IS 'time it was added';
COMMENT ON COLUMN analytics.block_rules.rule_removed_at IS
    'time it was taken back; NULL: it was not';
