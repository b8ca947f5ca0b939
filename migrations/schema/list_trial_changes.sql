-- What the best recipe of a trial changes for users: sums over users alone.
CREATE TABLE list_trial_changes (
    trial_no integer NOT NULL,
    kind text NOT NULL,
    direction text NOT NULL,
    place smallint NOT NULL,
    query text,
    item_no integer,
    users_before integer NOT NULL,
    users_now integer NOT NULL,
    CONSTRAINT pk_list_trial_changes PRIMARY KEY (trial_no, kind, direction, place),
    CONSTRAINT fk_list_trial_changes_trial_no_list_trials
        FOREIGN KEY (trial_no) REFERENCES list_trials (trial_no) ON DELETE CASCADE,
    CONSTRAINT fk_list_trial_changes_item_no_items FOREIGN KEY (item_no) REFERENCES items (item_no),
    CONSTRAINT ck_list_trial_changes_kind CHECK (kind IN ('query', 'item', 'purchase')),
    CONSTRAINT ck_list_trial_changes_direction CHECK (direction IN ('gained', 'lost')),
    CONSTRAINT ck_list_trial_changes_of
        CHECK ((kind = 'query') = (query IS NOT NULL) AND num_nonnulls(query, item_no) = 1)
);
COMMENT ON TABLE list_trial_changes IS
    'One row per query or item that the best recipe of a trial gives to more or fewer test users '
    'than the recipe that was live.';
COMMENT ON COLUMN list_trial_changes.trial_no IS 'number of the trial';
COMMENT ON COLUMN list_trial_changes.kind IS
    'query (searched for users), item (in lists) or purchase (held out, found)';
COMMENT ON COLUMN list_trial_changes.direction IS
    'gained (more users with the best recipe) or lost (fewer)';
COMMENT ON COLUMN list_trial_changes.place IS '1-based rank by size of the change, largest first';
COMMENT ON COLUMN list_trial_changes.query IS 'text of the query; NULL: the row is of an item';
COMMENT ON COLUMN list_trial_changes.item_no IS 'the item; NULL: the row is of a query';
COMMENT ON COLUMN list_trial_changes.users_before IS
    'number of test users with it by the recipe that was live';
COMMENT ON COLUMN list_trial_changes.users_now IS
    'number of test users with it by the best recipe';
GRANT SELECT, INSERT, UPDATE, DELETE ON list_trial_changes TO gpt4rec_writer;
