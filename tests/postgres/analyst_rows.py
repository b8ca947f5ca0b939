"""Three nights of a tiny shop, by plain SQL, so that the expected rows of the views are known.

Run 1 was published yesterday, run 2 is published now, run 3 is unfinished. User u-3 has no history.
Item i-4 was deactivated after run 2, i-5 has no title.
"""

from sqlalchemy import Connection

ROWS = """
INSERT INTO items (item_id, title, title_raw, price, is_active, version) VALUES
    ('i-1', 'red lamp', 'red  lamp', 9.50, true, 1), ('i-2', 'red shade', 'red shade', 3, true, 1),
    ('i-3', 'blue vase', 'blue vase', NULL, true, 1), ('i-4', 'old vase', 'old vase', 5, false, 2),
    ('i-5', NULL, NULL, NULL, true, 1);
INSERT INTO users (user_id) VALUES ('u-1'), ('u-2'), ('u-3');
INSERT INTO interactions (user_no, item_no, event_no, event_at, version)
VALUES (1, 1, 1, '2026-11-24 02:01:30+00', 2);
INSERT INTO imports (kind, files, state, actor) VALUES ('items', '{a.csv}', 'done', 'ann');
INSERT INTO import_rejects VALUES (1, 1, 'a.csv', 7, 'no_id', 'no item id', ',,');
INSERT INTO builds (index_name, alias, kind, parent_build_no, state, catalog_version, k1, b,
                    mapping_hash, actor, document_count) VALUES
    ('items-a', 'items', 'full', NULL, 'ready', 1, 1.2, 0.75, 'x', 'ann', 4),
    ('items-b', 'items', 'derived', 1, 'ready', 1, 0.9, 0.3, 'x', 'ann', 4),
    ('items-c', 'items', 'full', NULL, 'building', 1, 0.9, 0.3, 'x', 'ann', NULL);
INSERT INTO alias_swaps (alias, from_build_no, to_build_no, action, actor) VALUES
    ('items', NULL, 1, 'reindex', 'ann'), ('items', 1, 2, 'bm25', 'ann');
INSERT INTO generators (name, kind, content_hash, is_current, card) VALUES
    ('tiny', 'gpt2', 'hash-tiny', true, '{}'), ('other', 'gpt2', 'hash-other', false, '{}');
INSERT INTO decodings (settings_hash, settings) VALUES
    ('\\x01', '{"num_queries": 2, "num_beams": 4, "max_new_tokens": 8, "length_penalty": 1.0,
                "dtype": "fp32"}'), ('\\x02', '{"num_queries": 5}');
INSERT INTO prompts (prompt_hash, text, n_tokens) VALUES
    ('\\x01', 'red lamp', 2), ('\\x02', 'blue vase', 2);
INSERT INTO queries (query_hash, text) VALUES
    ('\\x01', 'red'), ('\\x02', 'vase'), ('\\x03', 'zeppelin'), ('\\x04', '!!!'),
    ('\\x05', 'blue vase');
-- Generations 3 and 4 belong to another generator and another decoding: no run shows them.
INSERT INTO generations (prompt_no, content_hash, decoding_no, n_queries, tokens_generated) VALUES
    (1, 'hash-tiny', 1, 2, 9), (2, 'hash-tiny', 1, 2, 9), (1, 'hash-other', 1, 1, 9),
    (1, 'hash-tiny', 2, 1, 9);
INSERT INTO generated_queries VALUES
    (1, 1, 1, -1.5, 2), (1, 2, 3, -4, 2), (2, 1, 2, -2, 2), (2, 2, 4, -3, 3),
    (3, 1, 5, -1, 2), (4, 1, 5, -1, 2);
INSERT INTO searches (build_no, query_no, depth, item_nos, scores, is_exhausted, is_empty_query)
VALUES
    (1, 1, 50, '{1}', '{0.5}', false, false), (1, 2, 50, '{1}', '{0.1}', false, false),
    (2, 1, 50, '{1}', '{0.6}', false, false),
    (2, 1, 200, '{1,2}', '{0.6,0.4}', true, false),
    (2, 2, 50, '{3,4}', '{1.5,1.25}', true, false), (2, 3, 50, '{}', '{}', true, false),
    (2, 4, 50, '{}', '{}', true, true), (2, 5, 50, '{3}', '{2}', true, false);
INSERT INTO runs (run_id, kind, logical_date, attempt, state, manifest, manifest_hash, build_no,
    generator_no, decoding_no, k, depth, history_version, cohort_size, code_version, actor,
    planned_at, finished_at)
SELECT 'nightly-2026-11-2' || n || '-1', 'nightly', date '2026-11-20' + n, 1,
    (ARRAY['published', 'published', 'merging'])[n], '{}', '\\xab', least(n, 2), 1, 1, 2, 50, 1, 3,
    '0.1.0+x', 'cron', timestamptz '2026-11-22 02:00:00+00',
    CASE WHEN n < 3 THEN timestamptz '2026-11-22 02:01:30+00' END
FROM generate_series(1, 3) AS n;
SELECT create_run_partitions(n) FROM generate_series(1, 3) AS n;
INSERT INTO run_users
SELECT n, u, (ARRAY[1, 2, NULL])[u], (ARRAY['{1}', '{3}', '{}'])[u]::int[], (ARRAY[1, 2, 0])[u],
    (ARRAY[1, 5, NULL])[u]
FROM generate_series(1, 3) AS n, generate_series(1, 3) AS u;
INSERT INTO recommendations VALUES
    (1, 1, 1, 1, 'queries', 1, 1, 1, 0.5),
    (2, 1, 1, 2, 'queries', 1, 1, 2, 0.4), (2, 1, 2, 3, 'popular', NULL, NULL, NULL, NULL),
    (2, 2, 1, 4, 'queries', 2, 1, 2, 1.25), (2, 2, 2, 3, 'last_title', 5, NULL, 1, 2),
    (2, 3, 1, 1, 'popular', NULL, NULL, NULL, NULL), (3, 1, 1, 2, 'queries', 1, 1, 2, 0.4);
INSERT INTO user_outcomes VALUES
    (1, 1, 'ok', 1, 1, 1, NULL, NULL),
    (2, 1, 'ok', 2, 1, 2, 'the queries found no more', NULL),
    (2, 2, 'ok', 2, 1, 2, 'the queries found no more', NULL),
    (2, 3, 'no_history', 0, 0, 1, 'no history', NULL);
INSERT INTO co_purchase_sets (history_version, catalog_version, neighbours, pair_history, n_items,
    pair_decay, pair_backward, pair_popularity, pair_damping)
VALUES (1, 1, 9, 9, 1, 1, 1, 0.5, 0), (2, 1, 9, 9, 1, 1, 1, 0.5, 0);
INSERT INTO co_purchases VALUES (1, 3, '{1}', '{1}'), (2, 1, '{2,3}', '{0.5,0.25}');
INSERT INTO replays (run_no, changed, k, num_queries, k1, b, exclude_bought, n_users,
    n_recommendations, n_searches, differing_rows, equal_lists, mean_jaccard, jaccard_deciles,
    actor)
VALUES (1, '{}', 2, 2, 1.2, 0.75, true, 3, 1, 0, 0, 1, 1, '{1}', 'ann');
INSERT INTO block_rules (kind, value, reason, actor) VALUES ('brand', 'acme', 'a dispute', 'ann');
INSERT INTO run_rules VALUES (2, 'rule 1', 'brand', 'acme', 'a dispute', 3, '{1,2,3}');
INSERT INTO block_rules (kind, value, reason, actor, action, places) VALUES
    ('item', 'i-1', 'a campaign', 'ann', 'pin', 1);
INSERT INTO run_rules VALUES (2, 'rule 2', 'item', 'i-1', 'a campaign', 1, '{1}', 'pin', 1);
INSERT INTO run_counts VALUES (2, 'merge', 'removed', 'rule 1', 17),
    (2, 'merge', 'pinned', 'rule 2', 3);
INSERT INTO shards (run_no, stage, members, state, finished_at) VALUES
    (2, 'search', '{3}', 'done', '2026-11-22 02:00:30+00'),
    (2, 'merge', '{1,2,3}', 'done', '2026-11-22 02:01:00+00'), (3, 'merge', '{1}', 'ready', NULL);
INSERT INTO gate_results (run_no, gate, passed, measured, required) VALUES
    (2, 'failed_users', true, '0', 'at most 0.001');
INSERT INTO run_measures (run_no, measure, value, n, usual) VALUES
    (2, 'fallback_places', 0.6, 5, 0.2), (2, 'overlap', NULL, 0, NULL);
INSERT INTO splits (name, protocol, options, content_hash, has_times, history_version,
    catalog_version, n_train, n_validation, n_test, n_left_out, actor) VALUES
    ('loo', 'leave-one-out', '{"seed": 1}', 'ab', true, 1, 1, 2, 0, 1, 1, 'ann');
INSERT INTO split_train VALUES (1, 2, '{3}');
INSERT INTO split_eval_users VALUES (1, 'test', 2, '{3}', '{4}', 86400);
INSERT INTO replay_metrics VALUES
    (1, 'recall', 'loo', 'test', 3, 0.3, 0.4, 0.1, -0.1, 0.3, 0.4);
INSERT INTO trials (split_name, split_hash, part, generator_no, decoding_no, build_no, metric, k,
    exclude_bought, grid, seed, n_users, n_queries, live_k1, live_b, best_k1, best_b,
    recommended_k1, recommended_b, verdict, verified_build_no, n_verified, actor, code_version)
VALUES ('loo', 'ab', 'validation', 1, 1, 1, 'recall', 10, true, 'fine', 0, 2, 4, 1.2, 0.75,
    0.9, 0.3, 0.9, 0.3, 'Use k1=0.9 b=0.3: better than defaults by more than chance.', 2, 4,
    'ann', 'c');
INSERT INTO list_trials (trial_no, split_name, split_hash, part, generator_no, build_no, metric,
    k, seed, n_fit_users, n_test_users, live_name, live_hash, document, content_hash, is_change,
    verdict, seconds, actor, code_version)
VALUES (2, 'loo', 'ab', 'validation', 1, 1, 'ndcg', 10, 0, 1, 1, 'default', 'cd', '{}', 'ef', true,
    'Use the best recipe found: better than default by more than chance.', 9.5, 'ann', 'c');
INSERT INTO list_trial_settings VALUES (2, 1, true, 0.8, 0.3, 0.3, 20, 0.7, 0.12,
    10, 0.85, 20, 150, 40, 100, false, false);
INSERT INTO list_trial_comparisons VALUES
    (2, 10, 'ndcg', 0.1, 0.12, 0.02, 0.01, 0.03, 0.001, 'all', 9),
    (2, 10, 'ndcg', 0.2, 0.1, -0.1, -0.2, 0.01, 0.3, 'target in tail', 4);
INSERT INTO list_trial_changes VALUES (2, 'query', 'lost', 1, 'red', NULL, 3, 1),
    (2, 'purchase', 'gained', 1, NULL, 4, 0, 2), (2, 'item', 'lost', 1, NULL, 5, 4, 2);
INSERT INTO recipes (name, content_hash, document, actor, trial_no) VALUES
    ('mine', 'ef', '{"decoding": {"num_queries": 2, "num_beams": 4}, "fusion":
        {"method": "scores", "weights": [["queries", 0.5], ["co_purchase", 1]]}}', 'ann', 2);
INSERT INTO recipe_uses (action, recipe_no, recipe_name, content_hash, actor) VALUES
    ('use', 1, 'mine', 'ef', 'ann');
INSERT INTO trial_points VALUES (1, 1, 1.2, 0.75, 0.5, 0.4),
    (1, 2, 0.9, 0.3, 1, 0.8);
INSERT INTO trial_comparisons VALUES
    (1, 'best', 'defaults', 'all', 2, 0.5, 0.1, 0.9, 0.01),
    (1, 'best', 'defaults', 'target in tail', 1, 0.6, 0.2, 1, 0.02);
INSERT INTO trial_queries VALUES (1, 'gained', 1, 2, 'red', 4, NULL, 1);
INSERT INTO evaluations (split_no, part, method, options, k1, b, index_name, n_eval_users,
    code_version, seconds, actor) VALUES (1, 'test', 'hybrid', '{}', 1.2, 0.75, 'items-a', 1, 'x',
    2, 'ann');
INSERT INTO evaluation_metrics VALUES (1, 10, 'all', 'recall', 0.5, 0.25, 0.75, 1);
INSERT INTO evaluation_lists (evaluation_no, k, user_no, item_nos) VALUES (1, 10, 2, '{4,1}');
INSERT INTO daily_runs VALUES ('nightly', '2026-11-21', 1), ('nightly', '2026-11-22', 2);
INSERT INTO daily_queries VALUES
    (1, 1, 1, 1, true, false, 1), (1, 3, 1, NULL, false, false, 0),
    (2, 1, 1, 1, true, false, 1), (2, 2, 1, 2, false, false, 1), (2, 3, 1, 0, false, false, 0),
    (2, 4, 1, 0, false, true, 0);
INSERT INTO daily_examples VALUES (2, 3, 1, 1, 1);
INSERT INTO daily_items VALUES (1, 1, 1, 1), (2, 1, 1, 0), (2, 3, 2, 0), (2, 4, 1, 1);
INSERT INTO daily_coverage VALUES (2, 'all', '', 4, 2, 3), (2, 'brand', '', 4, 2, 3);
INSERT INTO quality_days (run_no, age_days, measured_on, history_version, is_complete, n_users,
    n_bought) VALUES (2, 1, '2026-11-23', 2, true, 2, 3);
INSERT INTO quality_methods VALUES
    (2, 1, '2026-11-23', 'published', 2, 1, 1, 0, 1, 0.25, 0, 0.5, NULL, NULL, NULL),
    (2, 1, '2026-11-23', 'popularity', 2, 0, 0, 0, 1, 0, 0, 0, 0.5, 0, 1),
    (2, 1, '2026-11-23', 'newest_title', 2, 0, 0, 0, 1, 0, 0, 0, 0.5, 0, 1);
INSERT INTO quality_arms VALUES (2, 1, 'recipe', 2, 1, 1, 1);
INSERT INTO holdback_users VALUES (2, 3, 'popularity');
INSERT INTO quality_parts VALUES (2, 1, 'rank', '1', 2, 1), (2, 7, 'source', 'queries', 2, 1);
INSERT INTO query_filters (filters_hash, settings, phrases) VALUES ('\\x01', '{}', '{zeppelin}');
INSERT INTO query_verdicts VALUES (1, 1, NULL, NULL), (1, 3, 'phrase', 'zeppelin');
UPDATE runs SET filters_no = 1 WHERE run_no = 3;
INSERT INTO publications (kind, run_no, previous_run_no) VALUES ('nightly', 2, 1);
"""


def add_three_nights(connection: Connection) -> None:
    connection.exec_driver_sql(ROWS)
