-- Numbers of buyers, and trials of recipes; both kinds of trials share their numbers.
ALTER TABLE co_purchase_sets ADD COLUMN item_buyers bytea;
COMMENT ON COLUMN co_purchase_sets.item_buyers IS
    'number of buyers by item number, from 0 on, 4 bytes each (int32, little-endian); '
    'NULL: not counted, a set of an earlier version';

CREATE TABLE list_trials (
    trial_no integer NOT NULL,
    split_name text NOT NULL,
    split_hash text NOT NULL,
    part text NOT NULL,
    generator_no integer,
    build_no integer NOT NULL,
    metric text NOT NULL,
    k smallint NOT NULL,
    seed bigint NOT NULL,
    n_fit_users integer NOT NULL,
    n_test_users integer NOT NULL,
    live_name text NOT NULL,
    live_hash text NOT NULL,
    document jsonb NOT NULL,
    content_hash text NOT NULL,
    is_change boolean NOT NULL,
    verdict text NOT NULL,
    seconds real NOT NULL,
    actor text NOT NULL,
    code_version text NOT NULL,
    tuned_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_list_trials PRIMARY KEY (trial_no),
    CONSTRAINT fk_list_trials_generator_no_generators
        FOREIGN KEY (generator_no) REFERENCES generators (generator_no),
    CONSTRAINT fk_list_trials_build_no_builds FOREIGN KEY (build_no) REFERENCES builds (build_no)
);
COMMENT ON TABLE list_trials IS
    'One row per trial of recipes: the best one found on some users, compared with the live one '
    'on others.';
COMMENT ON COLUMN list_trials.trial_no IS 'number of the trial, from the numbers of all trials';
COMMENT ON COLUMN list_trials.split_name IS 'split that the trial was measured on';
COMMENT ON COLUMN list_trials.split_hash IS 'content hash of that split';
COMMENT ON COLUMN list_trials.part IS 'validation or test';
COMMENT ON COLUMN list_trials.generator_no IS
    'generator that wrote the queries; NULL: the recipes had none';
COMMENT ON COLUMN list_trials.build_no IS
    'build that was live: its catalog, k1 and b were used';
COMMENT ON COLUMN list_trials.metric IS 'metric that decides: recall or ndcg';
COMMENT ON COLUMN list_trials.k IS 'number of items per list that it was measured at';
COMMENT ON COLUMN list_trials.seed IS 'seed of the parts of users and of drawn settings';
COMMENT ON COLUMN list_trials.n_fit_users IS 'number of users that the recipe was chosen on';
COMMENT ON COLUMN list_trials.n_test_users IS 'number of other users, on which it was compared';
COMMENT ON COLUMN list_trials.live_name IS 'name of the recipe that was live';
COMMENT ON COLUMN list_trials.live_hash IS 'SHA-256 (hex) of the recipe that was live';
COMMENT ON COLUMN list_trials.document IS 'JSON: the best recipe found';
COMMENT ON COLUMN list_trials.content_hash IS 'SHA-256 (hex) of the best recipe found';
COMMENT ON COLUMN list_trials.is_change IS
    'whether it is better than the live one by more than chance';
COMMENT ON COLUMN list_trials.verdict IS 'the recommendation, in words';
COMMENT ON COLUMN list_trials.seconds IS 'duration of the trial in seconds, without generation';
COMMENT ON COLUMN list_trials.actor IS 'operator that started the trial (login name)';
COMMENT ON COLUMN list_trials.code_version IS 'version of the code that measured';
COMMENT ON COLUMN list_trials.tuned_at IS 'time the trial was stored';

CREATE TABLE list_trial_settings (
    trial_no integer NOT NULL,
    setting_no smallint NOT NULL,
    is_fitted boolean NOT NULL,
    pair_decay double precision NOT NULL,
    pair_backward double precision NOT NULL,
    pair_popularity double precision NOT NULL,
    pair_damping double precision NOT NULL,
    history_decay double precision NOT NULL,
    value double precision NOT NULL,
    CONSTRAINT pk_list_trial_settings PRIMARY KEY (trial_no, setting_no),
    CONSTRAINT fk_list_trial_settings_trial_no_list_trials
        FOREIGN KEY (trial_no) REFERENCES list_trials (trial_no) ON DELETE CASCADE
);
COMMENT ON TABLE list_trial_settings IS 'One row per setting that a trial of recipes measured.';
COMMENT ON COLUMN list_trial_settings.trial_no IS 'number of the trial';
COMMENT ON COLUMN list_trial_settings.setting_no IS 'order of the settings, from 1';
COMMENT ON COLUMN list_trial_settings.is_fitted IS
    'whether coefficients were fitted; false: those of the recipe that the trial began with';
COMMENT ON COLUMN list_trial_settings.pair_decay IS
    'factor by which a pair''s weight decreases per basket between its two purchases';
COMMENT ON COLUMN list_trial_settings.pair_backward IS
    'weight factor of a pair for an item bought before the other';
COMMENT ON COLUMN list_trial_settings.pair_popularity IS
    'p: share of the normalising exponent that is applied to the neighbour''s buyers';
COMMENT ON COLUMN list_trial_settings.pair_damping IS
    'd: number added to the item''s own buyers when normalising';
COMMENT ON COLUMN list_trial_settings.history_decay IS
    'factor by which each older purchase counts less';
COMMENT ON COLUMN list_trial_settings.value IS
    'mean of the trial''s metric on users that the coefficients were not fitted on';

CREATE TABLE list_trial_comparisons (
    trial_no integer NOT NULL,
    k smallint NOT NULL,
    metric text NOT NULL,
    live_value double precision NOT NULL,
    best_value double precision NOT NULL,
    gain double precision NOT NULL,
    gain_low double precision NOT NULL,
    gain_high double precision NOT NULL,
    p_value double precision NOT NULL,
    CONSTRAINT pk_list_trial_comparisons PRIMARY KEY (trial_no, k, metric),
    CONSTRAINT fk_list_trial_comparisons_trial_no_list_trials
        FOREIGN KEY (trial_no) REFERENCES list_trials (trial_no) ON DELETE CASCADE
);
COMMENT ON TABLE list_trial_comparisons IS
    'One row per metric of the best recipe of a trial and the one that was live, on users that '
    'were not used for choosing.';
COMMENT ON COLUMN list_trial_comparisons.trial_no IS 'number of the trial';
COMMENT ON COLUMN list_trial_comparisons.k IS 'number of items per list';
COMMENT ON COLUMN list_trial_comparisons.metric IS 'recall, ndcg, hit_rate or mrr';
COMMENT ON COLUMN list_trial_comparisons.live_value IS 'mean by the recipe that was live';
COMMENT ON COLUMN list_trial_comparisons.best_value IS 'mean by the best recipe found';
COMMENT ON COLUMN list_trial_comparisons.gain IS 'mean difference, best minus live';
COMMENT ON COLUMN list_trial_comparisons.gain_low IS 'lower end of its paired 95 % interval';
COMMENT ON COLUMN list_trial_comparisons.gain_high IS 'upper end of its paired 95 % interval';
COMMENT ON COLUMN list_trial_comparisons.p_value IS
    'two-sided p-value of a paired permutation test, not adjusted for several metrics';

GRANT USAGE ON SEQUENCE trials_trial_no_seq TO gpt4rec_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    list_trials, list_trial_settings, list_trial_comparisons TO gpt4rec_writer;

ALTER TABLE recipes DROP CONSTRAINT fk_recipes_trial_no_trials;
ALTER TABLE recipes ADD CONSTRAINT fk_recipes_trial_no_list_trials
    FOREIGN KEY (trial_no) REFERENCES list_trials (trial_no) ON DELETE SET NULL;
