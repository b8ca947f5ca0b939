CREATE VIEW analytics.splits (
    split_name, split_protocol, split_seed, tie_seed,
    split_hash, has_times, training_user_count, validation_case_count, test_case_count,
    left_out_user_count, split_actor, split_created_at
) AS
SELECT
    name, protocol, (options ->> 'seed')::bigint, (options ->> 'shuffle_ties')::bigint,
    content_hash, has_times, n_train, n_validation, n_test,
    n_left_out, actor, created_at
FROM public.splits;

COMMENT ON VIEW analytics.splits IS
    'One row per split of the histories into training, validation and test.';
COMMENT ON COLUMN analytics.splits.split_name IS 'name of the split';
COMMENT ON COLUMN analytics.splits.split_protocol IS
    'leave-one-out, users, gpt4rec, next-basket or global-time';
COMMENT ON COLUMN analytics.splits.split_seed IS 'seed of the random choice of users';
COMMENT ON COLUMN analytics.splits.tie_seed IS
    'seed for shuffling purchases of equal time; NULL: stored order';
COMMENT ON COLUMN analytics.splits.split_hash IS 'hash of the split''s content by external ids';
COMMENT ON COLUMN analytics.splits.has_times IS 'whether times between purchases are known';
COMMENT ON COLUMN analytics.splits.training_user_count IS 'number of training users';
COMMENT ON COLUMN analytics.splits.validation_case_count IS 'number of validation users';
COMMENT ON COLUMN analytics.splits.test_case_count IS 'number of test users';
COMMENT ON COLUMN analytics.splits.left_out_user_count IS
    'number of users with a history too short to be measured';
COMMENT ON COLUMN analytics.splits.split_actor IS 'operator that made the split (login name)';
COMMENT ON COLUMN analytics.splits.split_created_at IS 'time the split was made';
