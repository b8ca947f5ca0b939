CREATE VIEW analytics.promotion_rules (
    rule, rule_action, rule_kind, rule_value, promoted_places, rule_reason, promoted_from,
    promoted_until, promotion_actor, promotion_added_at, promotion_removed_at
) AS
SELECT
    'rule ' || rule_no, action, kind, value, places, reason, valid_from, valid_until, actor,
    created_at, removed_at
FROM public.block_rules
WHERE action <> 'block';

COMMENT ON VIEW analytics.promotion_rules IS
    'One row per rule that boosts or pins items, removed rules included.';
COMMENT ON COLUMN analytics.promotion_rules.rule IS 'name of the rule: ''rule'' and its number';
COMMENT ON COLUMN analytics.promotion_rules.rule_action IS
    'boost: moves items up that sources found; pin: puts items at the beginning of lists';
COMMENT ON COLUMN analytics.promotion_rules.rule_kind IS
    'what the rule promotes: item, brand or category';
COMMENT ON COLUMN analytics.promotion_rules.rule_value IS
    'item id, brand, or category path (with all paths below it)';
COMMENT ON COLUMN analytics.promotion_rules.promoted_places IS
    'boost: number of places that an item moves up; pin: most items of the rule per list';
COMMENT ON COLUMN analytics.promotion_rules.rule_reason IS
    'reason for the rule, given by the operator';
COMMENT ON COLUMN analytics.promotion_rules.promoted_from IS
    'first run date that the rule applies to; NULL: no first date';
COMMENT ON COLUMN analytics.promotion_rules.promoted_until IS
    'last run date that the rule applies to; NULL: no last date';
COMMENT ON COLUMN analytics.promotion_rules.promotion_actor IS
    'operator that added the rule (login name)';
COMMENT ON COLUMN analytics.promotion_rules.promotion_added_at IS 'time the rule was added';
COMMENT ON COLUMN analytics.promotion_rules.promotion_removed_at IS
    'time the rule was removed; NULL: it was not';
