-- Discounts are by the natural logarithm: its base cancels out.
CREATE VIEW analytics.evaluation_users (
    evaluation_id, list_length, user_id, user_recall, user_ndcg
) AS
SELECT
    l.evaluation_no, l.k, u.shown_id, (m.n_hits / t.n_targets)::real, (m.gain / t.ideal)::real
FROM public.evaluation_lists AS l
JOIN public.evaluations AS e ON e.evaluation_no = l.evaluation_no
JOIN public.split_eval_users AS s
    ON s.split_no = e.split_no AND s.part = e.part AND s.user_no = l.user_no
JOIN public.users AS u ON u.user_no = l.user_no
CROSS JOIN LATERAL (
    SELECT
        count(*)::double precision AS n_targets,
        sum(1 / ln(1 + place)) FILTER (WHERE place <= l.k) AS ideal
    FROM (
        SELECT row_number() OVER () AS place
        FROM (SELECT DISTINCT item_no FROM unnest(s.targets) AS item_no) AS targets
    ) AS places
) AS t
CROSS JOIN LATERAL (
    SELECT count(*) AS n_hits, coalesce(sum(1 / ln(1 + h.rank)), 0) AS gain
    FROM unnest(l.item_nos) WITH ORDINALITY AS h (item_no, rank)
    WHERE h.item_no = ANY (s.targets)
) AS m;

COMMENT ON VIEW analytics.evaluation_users IS
    'One row per evaluation, list length and user: the user''s own metrics, to compare evaluations '
    'of one split user by user. Filter by evaluation_id.';
COMMENT ON COLUMN analytics.evaluation_users.evaluation_id IS 'number of the evaluation';
COMMENT ON COLUMN analytics.evaluation_users.list_length IS 'K: maximum number of items per user';
COMMENT ON COLUMN analytics.evaluation_users.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.evaluation_users.user_recall IS
    'fraction of the user''s held-out items that the list has';
COMMENT ON COLUMN analytics.evaluation_users.user_ndcg IS
    'discounted gain of the held-out items in the list, divided by that of the best list';
