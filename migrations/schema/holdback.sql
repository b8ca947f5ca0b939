-- Users that a holdback gives other lists, and what they bought.
CREATE TABLE quality_arms (
    run_no integer NOT NULL,
    age_days smallint NOT NULL,
    arm text NOT NULL,
    n_users integer NOT NULL,
    n_buyers integer NOT NULL,
    n_bought integer NOT NULL,
    n_hit_users integer NOT NULL,
    CONSTRAINT pk_quality_arms PRIMARY KEY (run_no, age_days, arm),
    CONSTRAINT ck_quality_arms_arm CHECK (arm IN ('recipe', 'paper', 'popularity', 'none')),
    CONSTRAINT fk_quality_arms_run_no_runs FOREIGN KEY (run_no) REFERENCES runs (run_no)
);
COMMENT ON TABLE quality_arms IS
    'One row per run with a holdback, age and arm, as of the last measurement.';
COMMENT ON COLUMN quality_arms.run_no IS 'run whose lists are judged';
COMMENT ON COLUMN quality_arms.age_days IS
    'number of days after planning whose purchases count: 1, 7 or 28';
COMMENT ON COLUMN quality_arms.arm IS
    'recipe (users that are not held back), paper, popularity or none';
COMMENT ON COLUMN quality_arms.n_users IS 'number of the run''s users in the arm';
COMMENT ON COLUMN quality_arms.n_buyers IS
    'number of those that bought an item that was new to them';
COMMENT ON COLUMN quality_arms.n_bought IS 'number of such items, summed over users';
COMMENT ON COLUMN quality_arms.n_hit_users IS 'number of users that bought an item of their list';

CREATE TABLE holdback_users (
    run_no integer NOT NULL,
    user_no integer NOT NULL,
    arm text NOT NULL,
    CONSTRAINT pk_holdback_users PRIMARY KEY (run_no, user_no),
    CONSTRAINT ck_holdback_users_arm CHECK (arm IN ('paper', 'popularity', 'none')),
    CONSTRAINT fk_holdback_users_run_no_runs FOREIGN KEY (run_no) REFERENCES runs (run_no)
);
CREATE INDEX ix_holdback_users_user_no ON holdback_users (user_no);
COMMENT ON TABLE holdback_users IS
    'One row per run and user in an arm of its holdback; deleted with the run''s lists.';
COMMENT ON COLUMN holdback_users.run_no IS 'run that the row was frozen for';
COMMENT ON COLUMN holdback_users.user_no IS 'user that gets another list';
COMMENT ON COLUMN holdback_users.arm IS
    'group of the holdback: paper, popularity or none (no list)';

GRANT SELECT, INSERT, UPDATE, DELETE ON quality_arms, holdback_users TO gpt4rec_writer;
