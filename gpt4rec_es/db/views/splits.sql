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
COMMENT ON COLUMN analytics.splits.split_seed IS 'seed of a split by users';
COMMENT ON COLUMN analytics.splits.tie_seed IS
    'seed by which purchases of one moment were shuffled; NULL: stored order';
COMMENT ON COLUMN analytics.splits.split_hash IS 'hash of its content by external ids';
COMMENT ON COLUMN analytics.splits.has_times IS 'whether gaps in time are known';
COMMENT ON COLUMN analytics.splits.training_user_count IS 'users to learn from';
COMMENT ON COLUMN analytics.splits.validation_case_count IS 'users to recommend to for validation';
COMMENT ON COLUMN analytics.splits.test_case_count IS 'users to recommend to for the test';
COMMENT ON COLUMN analytics.splits.left_out_user_count IS 'users with too little to be measured';
COMMENT ON COLUMN analytics.splits.split_actor IS 'who made it';
COMMENT ON COLUMN analytics.splits.split_created_at IS 'time it was made';
