CREATE VIEW analytics.users (
    user_id, first_imported_at
) AS
SELECT
    shown_id, created_at
FROM public.users;

COMMENT ON VIEW analytics.users IS 'One row per user.';
COMMENT ON COLUMN analytics.users.user_id IS
    'the shop''s user id, or its pseudonym if pseudonyms are switched on';
COMMENT ON COLUMN analytics.users.first_imported_at IS
    'time of the first import that named the user';
