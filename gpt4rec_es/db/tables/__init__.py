"""All base tables, with a comment on each table and column; the migrations match these modules.

These modules have no queries. Expensive results are keyed by their inputs (a generation by prompt,
generator and decoding; a search by build, query and depth), so retries are idempotent and a night
computes only missing results. See docs/architecture.md.
"""

from gpt4rec_es.db.tables.base import metadata
from gpt4rec_es.db.tables.catalog import (
    catalog_state,
    import_rejects,
    imports,
    interactions,
    items,
    users,
)
from gpt4rec_es.db.tables.daily import (
    daily_coverage,
    daily_examples,
    daily_items,
    daily_queries,
    daily_runs,
)
from gpt4rec_es.db.tables.encoders import encoders, title_vectors
from gpt4rec_es.db.tables.evaluations import (
    evaluation_lists,
    evaluation_metrics,
    evaluations,
)
from gpt4rec_es.db.tables.generation import (
    decodings,
    generated_queries,
    generations,
    generators,
    prompts,
    queries,
)
from gpt4rec_es.db.tables.holdback import holdback_users, quality_arms
from gpt4rec_es.db.tables.index import alias_swaps, builds, search_options, searches
from gpt4rec_es.db.tables.list_trials import (
    list_trial_comparisons,
    list_trial_settings,
    list_trials,
)
from gpt4rec_es.db.tables.locks import lock_holders, locks
from gpt4rec_es.db.tables.measures import held_out_users, run_measures
from gpt4rec_es.db.tables.publishing import (
    audit,
    exports,
    gate_results,
    privacy,
    publications,
)
from gpt4rec_es.db.tables.quality import (
    quality_days,
    quality_methods,
    quality_parts,
    quality_users,
)
from gpt4rec_es.db.tables.recipes import recipe_uses, recipes
from gpt4rec_es.db.tables.replays import replay_metrics, replays
from gpt4rec_es.db.tables.rerankers import item_vectors, rerankers, run_user_vectors
from gpt4rec_es.db.tables.results import (
    recommendations,
    run_users,
    user_outcomes,
)
from gpt4rec_es.db.tables.rules import (
    block_rules,
    query_filters,
    query_verdicts,
    run_brands,
    run_rules,
)
from gpt4rec_es.db.tables.run_counts import run_counts
from gpt4rec_es.db.tables.runs import FINISHED, STAGES, UNFINISHED, runs, shards
from gpt4rec_es.db.tables.sources import (
    co_purchase_sets,
    co_purchases,
    run_popular,
    run_titles,
)
from gpt4rec_es.db.tables.splits import split_eval_users, split_prompts, split_train, splits
from gpt4rec_es.db.tables.trial_changes import list_trial_changes
from gpt4rec_es.db.tables.trials import trial_comparisons, trial_points, trial_queries, trials

__all__ = [
    "FINISHED",
    "STAGES",
    "UNFINISHED",
    "alias_swaps",
    "audit",
    "block_rules",
    "builds",
    "catalog_state",
    "co_purchase_sets",
    "co_purchases",
    "daily_coverage",
    "daily_examples",
    "daily_items",
    "daily_queries",
    "daily_runs",
    "decodings",
    "encoders",
    "evaluation_lists",
    "evaluation_metrics",
    "evaluations",
    "exports",
    "gate_results",
    "generated_queries",
    "generations",
    "generators",
    "held_out_users",
    "holdback_users",
    "import_rejects",
    "imports",
    "interactions",
    "item_vectors",
    "items",
    "list_trial_changes",
    "list_trial_comparisons",
    "list_trial_settings",
    "list_trials",
    "lock_holders",
    "locks",
    "metadata",
    "privacy",
    "prompts",
    "publications",
    "quality_arms",
    "quality_days",
    "quality_methods",
    "quality_parts",
    "quality_users",
    "queries",
    "query_filters",
    "query_verdicts",
    "recipe_uses",
    "recipes",
    "recommendations",
    "replay_metrics",
    "replays",
    "rerankers",
    "run_brands",
    "run_counts",
    "run_measures",
    "run_popular",
    "run_rules",
    "run_titles",
    "run_user_vectors",
    "run_users",
    "runs",
    "search_options",
    "searches",
    "shards",
    "split_eval_users",
    "split_prompts",
    "split_train",
    "splits",
    "title_vectors",
    "trial_comparisons",
    "trial_points",
    "trial_queries",
    "trials",
    "user_outcomes",
    "users",
]
