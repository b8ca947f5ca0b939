CREATE VIEW analytics.user_outcomes (
    run_id, logical_date, user_id, outcome, bought_item_count, prompt_item_count,
    query_count, found_count, recommendation_count, short_reason, user_error,
    pinned_count, holdback_arm
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, o.outcome, ru.n_bought, cardinality(ru.item_nos),
    o.n_queries, o.n_found, o.n_recommended, o.short_reason, o.error,
    o.n_pinned, h.arm
FROM public.user_outcomes AS o
JOIN public.run_users AS ru ON ru.run_no = o.run_no AND ru.user_no = o.user_no
JOIN public.runs AS r ON r.run_no = o.run_no
JOIN public.users AS u ON u.user_no = o.user_no
LEFT JOIN public.holdback_users AS h ON h.run_no = o.run_no AND h.user_no = o.user_no;

COMMENT ON VIEW analytics.user_outcomes IS 'One row per run and user: the outcome for the user.';
COMMENT ON COLUMN analytics.user_outcomes.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.user_outcomes.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.user_outcomes.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.user_outcomes.outcome IS
    'ok, no_history, no_titles, empty_query, no_hits, held_back or failed';
COMMENT ON COLUMN analytics.user_outcomes.bought_item_count IS
    'number of distinct items that the user bought up to the run''s cut-off';
COMMENT ON COLUMN analytics.user_outcomes.prompt_item_count IS
    'number of items whose titles are in the user''s prompt';
COMMENT ON COLUMN analytics.user_outcomes.query_count IS
    'number of the user''s generated queries that the query filters did not remove';
COMMENT ON COLUMN analytics.user_outcomes.found_count IS
    'number of recommendations that the run''s sources found, before fallbacks';
COMMENT ON COLUMN analytics.user_outcomes.recommendation_count IS
    'number of recommendations, fallbacks included';
COMMENT ON COLUMN analytics.user_outcomes.short_reason IS
    'why found_count and pinned_count together are below the run''s k: no_queries, '
    'empty_queries, filtered_queries, no_hits, all_bought, exhausted_queries or '
    'exhausted_sources; NULL: they are not below k';
COMMENT ON COLUMN analytics.user_outcomes.user_error IS 'error message for this user; NULL: none';
COMMENT ON COLUMN analytics.user_outcomes.pinned_count IS
    'number of recommendations that rules pinned';
COMMENT ON COLUMN analytics.user_outcomes.holdback_arm IS
    'group of the run''s holdback that the user is in: paper, popularity or none (no list); NULL: '
    'not held back';
