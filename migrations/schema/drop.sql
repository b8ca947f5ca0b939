-- Drops all objects of tables.sql and functions.sql; all rows are lost.
DROP TABLE
    items, users, interactions, catalog_state, imports, import_rejects, generators, decodings,
    prompts, queries, generations, generated_queries, query_filters, query_verdicts, builds,
    alias_swaps, search_options, searches, co_purchase_sets, co_purchases, runs, shards,
    run_counts, run_popular, run_titles, run_users, user_outcomes, recommendations, gate_results,
    publications, audit, block_rules, run_rules, run_brands, daily_runs, daily_queries,
    daily_examples, daily_items, daily_coverage, replays, replay_metrics, splits, split_train,
    split_eval_users, split_prompts, evaluations, evaluation_metrics, evaluation_lists, trials,
    trial_points, trial_comparisons, trial_queries, privacy, exports, locks,
    lock_holders;
DROP FUNCTION create_run_partitions(integer), drop_run_partitions(integer, boolean), analyze_table(text),
    show_user();
