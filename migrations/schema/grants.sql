-- What the writer may do. Nothing with privacy, which holds the secrets of pseudonyms; audit only
-- grows.
GRANT SELECT, INSERT ON audit TO gpt4rec_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    items, users, interactions, catalog_state, imports, import_rejects, generators, decodings,
    prompts, queries, generations, generated_queries, query_filters, query_verdicts, builds,
    alias_swaps, search_options, searches, co_purchase_sets, co_purchases, runs, shards,
    run_counts, run_popular, run_titles, run_users, user_outcomes, recommendations, gate_results,
    publications, block_rules, run_rules, run_brands, daily_runs, daily_queries, daily_examples,
    daily_items, daily_coverage, replays, replay_metrics, splits, split_train, split_eval_users,
    split_prompts, evaluations, evaluation_metrics, evaluation_lists, trials, trial_points,
    trial_comparisons, trial_queries, exports
TO gpt4rec_writer;
-- It takes these numbers before it copies the rows: COPY returns nothing, so it would have to look
-- each up again.
GRANT USAGE ON SEQUENCE generations_generation_no_seq, queries_query_no_seq TO gpt4rec_writer;
