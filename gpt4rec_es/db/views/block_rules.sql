CREATE VIEW analytics.block_rules (
    rule, rule_kind, rule_value, rule_reason, valid_from, valid_until, rule_actor, rule_added_at,
    rule_removed_at
) AS
SELECT
    'rule ' || rule_no, kind, value, reason, valid_from, valid_until, actor, created_at,
    removed_at
FROM public.block_rules
WHERE action = 'block';

COMMENT ON VIEW analytics.block_rules IS
    'One row per rule that blocks items, removed rules included.';
COMMENT ON COLUMN analytics.block_rules.rule IS
    'name of the rule: ''rule'' and its number, or the name of a setting';
COMMENT ON COLUMN analytics.block_rules.rule_kind IS
    'what the rule blocks: item, brand or category';
COMMENT ON COLUMN analytics.block_rules.rule_value IS
    'item id, brand, or category path (with all paths below it)';
COMMENT ON COLUMN analytics.block_rules.rule_reason IS 'reason for the rule, given by the operator';
COMMENT ON COLUMN analytics.block_rules.valid_from IS
    'first run date that the rule applies to; NULL: no first date';
COMMENT ON COLUMN analytics.block_rules.valid_until IS
    'last run date that the rule applies to; NULL: no last date';
COMMENT ON COLUMN analytics.block_rules.rule_actor IS 'operator that added the rule (login name)';
COMMENT ON COLUMN analytics.block_rules.rule_added_at IS 'time the rule was added';
COMMENT ON COLUMN analytics.block_rules.rule_removed_at IS
    'time the rule was removed; NULL: it was not';
