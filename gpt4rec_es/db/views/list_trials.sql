CREATE VIEW analytics.list_trials (
    trial_id, split_name, list_trial_part, list_trial_generator, index_name, list_trial_metric,
    list_trial_k, fit_user_count, test_user_count, live_recipe_name, live_recipe_hash, best_recipe,
    best_recipe_hash, is_recipe_change, recipe_verdict, trial_seconds, list_trial_actor,
    recipe_tuned_at, best_field_bm25
) AS
SELECT
    t.trial_no, t.split_name, t.part, g.name, b.index_name, t.metric, t.k, t.n_fit_users,
    t.n_test_users, t.live_name, t.live_hash, t.document, t.content_hash, t.is_change, t.verdict,
    t.seconds, t.actor, t.tuned_at, t.field_bm25
FROM public.list_trials AS t
JOIN public.builds AS b USING (build_no)
LEFT JOIN public.generators AS g USING (generator_no);

COMMENT ON VIEW analytics.list_trials IS
    'One row per trial of recipes: the best one found on some users, compared with the live '
    'one on others.';
COMMENT ON COLUMN analytics.list_trials.trial_id IS
    'number of the trial';
COMMENT ON COLUMN analytics.list_trials.split_name IS
    'split that the trial was measured on';
COMMENT ON COLUMN analytics.list_trials.list_trial_part IS
    'part of the split: validation or test';
COMMENT ON COLUMN analytics.list_trials.list_trial_generator IS
    'name of the generator that wrote the queries; NULL: the recipes had none';
COMMENT ON COLUMN analytics.list_trials.index_name IS
    'name of the Elasticsearch index that was live: its catalog, k1 and b were used';
COMMENT ON COLUMN analytics.list_trials.list_trial_metric IS
    'metric that decides: recall or ndcg';
COMMENT ON COLUMN analytics.list_trials.list_trial_k IS
    'number of items per list that the metric was measured at';
COMMENT ON COLUMN analytics.list_trials.fit_user_count IS
    'number of users that the recipe was chosen on';
COMMENT ON COLUMN analytics.list_trials.test_user_count IS
    'number of other users, on which it was compared';
COMMENT ON COLUMN analytics.list_trials.live_recipe_name IS
    'name of the recipe that was live';
COMMENT ON COLUMN analytics.list_trials.live_recipe_hash IS
    'SHA-256 (hex) of the recipe that was live';
COMMENT ON COLUMN analytics.list_trials.best_recipe IS
    'JSON: the best recipe found';
COMMENT ON COLUMN analytics.list_trials.best_recipe_hash IS
    'SHA-256 (hex) of the best recipe found';
COMMENT ON COLUMN analytics.list_trials.is_recipe_change IS
    'whether it is better than the live one by more than chance';
COMMENT ON COLUMN analytics.list_trials.recipe_verdict IS
    'the recommendation, in words';
COMMENT ON COLUMN analytics.list_trials.trial_seconds IS
    'duration of the trial in seconds, without generation';
COMMENT ON COLUMN analytics.list_trials.list_trial_actor IS
    'operator that started the trial (login name)';
COMMENT ON COLUMN analytics.list_trials.recipe_tuned_at IS
    'time the trial was stored';
COMMENT ON COLUMN analytics.list_trials.best_field_bm25 IS
    'JSON: best [k1, b] by field, of those with other values than in the live index; NULL: none';
