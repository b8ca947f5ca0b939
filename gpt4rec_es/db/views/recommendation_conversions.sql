-- Rank, source and query are those of recommendations, joined by run, user and item.
CREATE VIEW analytics.recommendation_conversions (
    run_id, logical_date, user_id, item_id, converted_at, days_to_conversion, holdback_arm
) AS
SELECT
    r.run_id, r.logical_date, u.shown_id, i.item_id, p.converted_at,
    (extract(epoch FROM p.converted_at - r.finished_at) / 86400)::real, h.arm
FROM public.recommendations AS c
JOIN public.runs AS r ON r.run_no = c.run_no AND r.state = 'published'
JOIN LATERAL (
    SELECT min(x.event_at) AS converted_at FROM public.interactions AS x
    WHERE x.user_no = c.user_no AND x.item_no = c.item_no
    AND x.event_at >= r.finished_at AND x.event_at < r.finished_at + interval '28 days'
) AS p ON p.converted_at IS NOT NULL
JOIN public.users AS u ON u.user_no = c.user_no
JOIN public.items AS i ON i.item_no = c.item_no
LEFT JOIN public.holdback_users AS h ON h.run_no = c.run_no AND h.user_no = c.user_no;

COMMENT ON VIEW analytics.recommendation_conversions IS
    'One row per recommendation of a published run whose item the user bought in the 28 days '
    'after. It stays for 35 days after other lists replaced it, or longer. An item recommended by '
    'several runs counts for each. Filter by run_id.';
COMMENT ON COLUMN analytics.recommendation_conversions.run_id IS 'name of the run, see view runs';
COMMENT ON COLUMN analytics.recommendation_conversions.logical_date IS
    'date that the run makes recommendations for, in the schedule''s time zone';
COMMENT ON COLUMN analytics.recommendation_conversions.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.recommendation_conversions.item_id IS
    'the shop''s id of the recommended and bought item';
COMMENT ON COLUMN analytics.recommendation_conversions.converted_at IS
    'time of the first purchase of the item by the user after the run ended';
COMMENT ON COLUMN analytics.recommendation_conversions.days_to_conversion IS
    'days from the end of the run to that purchase';
COMMENT ON COLUMN analytics.recommendation_conversions.holdback_arm IS
    'group of the run''s holdback that the user is in: paper or popularity; NULL: not held back';
