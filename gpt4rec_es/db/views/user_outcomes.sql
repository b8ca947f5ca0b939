CREATE VIEW analytics.user_outcomes (
    run_id, logical_date, user_id, outcome, bought_item_count, prompt_item_count,
    query_count, found_count, recommendation_count, short_reason, user_error
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, o.outcome, ru.n_bought, cardinality(ru.item_nos),
    o.n_queries, o.n_found, o.n_recommended, o.short_reason, o.error
FROM public.user_outcomes AS o
JOIN public.run_users AS ru ON ru.run_no = o.run_no AND ru.user_no = o.user_no
JOIN public.runs AS r ON r.run_no = o.run_no
JOIN public.users AS u ON u.user_no = o.user_no;

COMMENT ON VIEW analytics.user_outcomes IS
    'One row per run and user: what became of the user in the run.';
COMMENT ON COLUMN analytics.user_outcomes.run_id IS 'the run';
COMMENT ON COLUMN analytics.user_outcomes.logical_date IS
    'the date the run recommends for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.user_outcomes.user_id IS
    'the shop''s user id, or its pseudonym where the database says so';
COMMENT ON COLUMN analytics.user_outcomes.outcome IS
    'ok, no_history, no_titles, empty_query, no_hits or failed';
COMMENT ON COLUMN analytics.user_outcomes.bought_item_count IS
    'distinct items bought up to the run''s cut-off';
COMMENT ON COLUMN analytics.user_outcomes.prompt_item_count IS
    'newest of those that the generator read the titles of';
COMMENT ON COLUMN analytics.user_outcomes.query_count IS 'generated queries that were used';
COMMENT ON COLUMN analytics.user_outcomes.found_count IS
    'recommendations that the run''s sources found, before fallbacks';
COMMENT ON COLUMN analytics.user_outcomes.recommendation_count IS
    'recommendations in all, fallbacks included';
COMMENT ON COLUMN analytics.user_outcomes.short_reason IS
    'why found_count is below the run''s k; NULL: it is not';
COMMENT ON COLUMN analytics.user_outcomes.user_error IS 'what failed for this user; NULL: nothing';
