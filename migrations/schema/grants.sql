-- Privileges of the writer: none on privacy, which has the keys of pseudonyms; no UPDATE or DELETE
-- on audit.
GRANT SELECT, INSERT ON audit TO gpt4rec_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    items, users, interactions, catalog_state, imports, import_rejects, generators, decodings,
    prompts, queries, generations, generated_queries, query_filters, query_verdicts, builds,
    alias_swaps, search_options, searches, co_purchase_sets, co_purchases, runs, shards,
    run_counts, run_popular, run_titles, run_users, user_outcomes, recommendations, gate_results,
    publications, block_rules, run_rules, run_brands, daily_runs, daily_queries, daily_examples,
    daily_items, daily_coverage, replays, replay_metrics, splits, split_train, split_eval_users,
    split_prompts, evaluations, evaluation_metrics, evaluation_lists, trials, trial_points,
    trial_comparisons, trial_queries, exports, locks, lock_holders
TO gpt4rec_writer;
-- The writer takes these numbers before COPY, because COPY does not return generated numbers.
GRANT USAGE ON SEQUENCE generations_generation_no_seq, queries_query_no_seq TO gpt4rec_writer;
