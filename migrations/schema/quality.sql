-- What users bought after each night, compared with its lists: sums, and what pruned runs need.
CREATE TABLE quality_days (
    run_no integer NOT NULL,
    age_days smallint NOT NULL,
    measured_on date NOT NULL,
    history_version bigint NOT NULL,
    is_complete boolean NOT NULL,
    n_users integer NOT NULL,
    n_bought integer NOT NULL,
    measured_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_quality_days PRIMARY KEY (run_no, age_days, measured_on),
    CONSTRAINT ck_quality_days_age_days CHECK (age_days IN (1, 7, 28)),
    CONSTRAINT fk_quality_days_run_no_runs FOREIGN KEY (run_no) REFERENCES runs (run_no)
);
COMMENT ON TABLE quality_days IS
    'One row per run, age of its lists and day on which further purchases were found: what its '
    'users bought.';
COMMENT ON COLUMN quality_days.run_no IS 'run whose lists are judged';
COMMENT ON COLUMN quality_days.age_days IS
    'number of days after planning whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN quality_days.measured_on IS 'day of the measurement (UTC)';
COMMENT ON COLUMN quality_days.history_version IS 'history version up to which purchases were read';
COMMENT ON COLUMN quality_days.is_complete IS
    'whether purchases from after the days that count were imported, too';
COMMENT ON COLUMN quality_days.n_users IS
    'number of the run''s users that bought an item that was new to them';
COMMENT ON COLUMN quality_days.n_bought IS 'number of such items, summed over users';
COMMENT ON COLUMN quality_days.measured_at IS 'time of the measurement';

CREATE TABLE quality_methods (
    run_no integer NOT NULL,
    age_days smallint NOT NULL,
    measured_on date NOT NULL,
    method text NOT NULL,
    n_users integer NOT NULL,
    n_hit_users integer NOT NULL,
    n_hits integer NOT NULL,
    hit_rate_low real,
    hit_rate_high real,
    recall real,
    recall_low real,
    recall_high real,
    gain real,
    gain_low real,
    gain_high real,
    CONSTRAINT pk_quality_methods PRIMARY KEY (run_no, age_days, measured_on, method),
    CONSTRAINT fk_quality_methods_quality_days FOREIGN KEY (run_no, age_days, measured_on)
        REFERENCES quality_days (run_no, age_days, measured_on) ON DELETE CASCADE,
    CONSTRAINT ck_quality_methods_method
        CHECK (method IN ('published', 'popularity', 'newest_title'))
);
COMMENT ON TABLE quality_methods IS
    'One row per row of quality_days and method: how often it listed what users bought.';
COMMENT ON COLUMN quality_methods.run_no IS 'run whose lists are judged';
COMMENT ON COLUMN quality_methods.age_days IS
    'number of days after planning whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN quality_methods.measured_on IS 'day of the measurement (UTC)';
COMMENT ON COLUMN quality_methods.method IS
    'published (the run''s lists), popularity (its popular items) or newest_title (hits of the '
    'user''s newest bought title in its build)';
COMMENT ON COLUMN quality_methods.n_users IS
    'number of users compared; fewer than in quality_days: a search is not stored';
COMMENT ON COLUMN quality_methods.n_hit_users IS 'number of users that bought a listed item';
COMMENT ON COLUMN quality_methods.n_hits IS 'number of bought and listed items';
COMMENT ON COLUMN quality_methods.hit_rate_low IS
    'lower bound of the hit rate, end of the 95 % interval; NULL: no user';
COMMENT ON COLUMN quality_methods.hit_rate_high IS
    'upper bound of the hit rate, end of the 95 % interval; NULL: no user';
COMMENT ON COLUMN quality_methods.recall IS
    'mean over users of the fraction of their bought items in the list; NULL: no user';
COMMENT ON COLUMN quality_methods.recall_low IS
    'lower bound of the recall, end of the 95 % interval; NULL: no user';
COMMENT ON COLUMN quality_methods.recall_high IS
    'upper bound of the recall, end of the 95 % interval; NULL: no user';
COMMENT ON COLUMN quality_methods.gain IS
    'hit rate of the published lists minus that of the method; NULL: no user';
COMMENT ON COLUMN quality_methods.gain_low IS
    'lower bound of the gain, end of the 95 % interval; NULL: no user';
COMMENT ON COLUMN quality_methods.gain_high IS
    'upper bound of the gain, end of the 95 % interval; NULL: no user';

CREATE TABLE quality_parts (
    run_no integer NOT NULL,
    age_days smallint NOT NULL,
    part text NOT NULL,
    value text NOT NULL,
    n_judged integer NOT NULL,
    n_hits integer NOT NULL,
    CONSTRAINT pk_quality_parts PRIMARY KEY (run_no, age_days, part, value),
    CONSTRAINT ck_quality_parts_part CHECK (part IN ('rank', 'source', 'outcome')),
    CONSTRAINT fk_quality_parts_run_no_runs FOREIGN KEY (run_no) REFERENCES runs (run_no)
);
COMMENT ON TABLE quality_parts IS
    'One row per run, age and rank, source or outcome, as of the last measurement.';
COMMENT ON COLUMN quality_parts.run_no IS 'run whose lists are judged';
COMMENT ON COLUMN quality_parts.age_days IS
    'number of days after planning whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN quality_parts.part IS 'what the sums are taken by: rank, source or outcome';
COMMENT ON COLUMN quality_parts.value IS
    'the rank, the source of a recommendation, or the outcome of a user';
COMMENT ON COLUMN quality_parts.n_judged IS
    'number of recommendations (part outcome: users) of users that bought';
COMMENT ON COLUMN quality_parts.n_hits IS
    'number of those that were bought (part outcome: users that bought a listed item)';

CREATE TABLE quality_users (
    run_no integer NOT NULL,
    user_no integer NOT NULL,
    outcome text NOT NULL,
    title_item_nos integer[],
    CONSTRAINT pk_quality_users PRIMARY KEY (run_no, user_no),
    CONSTRAINT fk_quality_users_run_no_runs FOREIGN KEY (run_no) REFERENCES runs (run_no)
);
CREATE INDEX ix_quality_users_user_no ON quality_users (user_no);
COMMENT ON TABLE quality_users IS
    'One row per user of a pruned run whose lists are still judged; deleted with these lists.';
COMMENT ON COLUMN quality_users.run_no IS 'run whose lists are judged';
COMMENT ON COLUMN quality_users.user_no IS 'user of the run';
COMMENT ON COLUMN quality_users.outcome IS 'outcome of the run for the user';
COMMENT ON COLUMN quality_users.title_item_nos IS
    'best hits of the newest bought title that were new to the user, at most the run''s k; NULL: '
    'the title was not searched';

GRANT SELECT, INSERT, UPDATE, DELETE ON quality_days, quality_methods, quality_parts, quality_users
TO gpt4rec_writer;
