"""Schema analytics: the views that analysts read, with a comment on each view and column.

They are a contract: names and meanings stay when base tables change. Ids are the shop's; the same
name means the same thing in every view, so USING joins them.
"""

from alembic import op

from gpt4rec_es.db.views import View, create_views, drop_views

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None

# A scalar subquery and not a join: its value is known before the partitions are opened, so only
# those of the published run are read.
PUBLISHED = "(SELECT p.run_no FROM public.publications AS p WHERE p.kind = 'nightly')"

RUN_COLUMNS = {
    "run_id": "the run",
    "logical_date": "the date the run recommends for, in the schedule's time zone",
}
USER_COLUMN = {"user_id": "the shop's user id"}
QUERY_COLUMNS = {
    "query_id": "number of the query text, the same in every view and run",
    "query": "the query text: what the user would type next",
}
ITEM_COLUMNS = {"item_id": "the shop's item id", "title": "cleaned title; NULL: none usable"}
HIT_COLUMNS = {
    "hit_rank": "1-based place among the hits of the query",
    "score": "BM25 score of the hit; scores of different queries cannot be compared",
}

CATALOG = (
    View(
        "users",
        "One row per user.",
        {**USER_COLUMN, "first_imported_at": "time of the first import that named the user"},
        "SELECT user_id, created_at FROM public.users",
    ),
    View(
        "items",
        "One row per catalog item, as it is now.",
        {
            **ITEM_COLUMNS,
            "raw_title": "title as delivered; NULL: none delivered",
            "brand": "brand; NULL: unknown",
            "category": "category path, levels joined by ' > '; NULL: unknown",
            "price": "price in the catalog's currency; NULL: unknown",
            "is_active": "whether the item may be recommended now",
            "has_title": "whether the title is usable, so that the item can be found",
            "is_trainable": "whether the language model may learn the title",
            "changed_at": "time of the last import that changed the item",
        },
        "SELECT item_id, title, title_raw, brand, category, price, is_active, title IS NOT NULL, "
        "is_trainable, updated_at FROM public.items",
    ),
    View(
        "rejects",
        "One row per record that an import set aside.",
        {
            "import_id": "number of the import",
            "import_kind": "what was imported: items or interactions",
            "import_state": "running, done, or failed (then nothing of it is in the catalog)",
            "import_started_at": "start of the import",
            "file_name": "file that the record stands in",
            "line_number": "1-based line (Parquet: row) where it starts; NULL: unknown",
            "reason_code": "short code of the reason, to group by",
            "reason": "what is wrong with the record",
            "excerpt": "first 200 bytes of the record, control characters escaped",
        },
        "SELECT i.import_no, i.kind, i.state, i.started_at, r.file, r.line, r.reason_code, "
        "r.reason, r.excerpt FROM public.import_rejects AS r JOIN public.imports AS i "
        "USING (import_no)",
    ),
)

INDEX = (
    View(
        "index_builds",
        "One row per index build. A ready build never changes: other k1 or b is another build.",
        {
            "index_name": "name of the Elasticsearch index",
            "alias": "the stable name that it was built for",
            "build_kind": "full (from the catalog) or derived (a clone with other k1, b)",
            "parent_index_name": "what a derived build was cloned from; NULL: full",
            "build_state": "building, ready, failed or deleted",
            "is_live": "whether the alias points to it now",
            "catalog_version": "version of the catalog whose items it holds",
            "document_count": "documents in it; NULL: not verified (yet)",
            "k1": "BM25 k1: how soon repeated terms stop to count, >= 0",
            "b": "BM25 b: how much long titles are marked down, 0 to 1",
            "build_actor": "who started the build",
            "build_reason": "why it was built; NULL: not said",
            "build_started_at": "start of the build",
            "ready_at": "time it was verified; NULL: it was not",
            "index_deleted_at": "time its index was deleted; NULL: it was not",
            "build_error": "why the build failed; NULL: it did not",
        },
        """
        SELECT b.index_name, b.alias, b.kind, parent.index_name, b.state,
            b.state = 'ready' AND b.build_no IS NOT DISTINCT FROM (
                SELECT s.to_build_no FROM public.alias_swaps AS s WHERE s.alias = b.alias
                ORDER BY s.swap_no DESC LIMIT 1),
            b.catalog_version, b.document_count, b.k1, b.b, b.actor, b.reason, b.created_at,
            b.ready_at, b.deleted_at, b.error
        FROM public.builds AS b
        LEFT JOIN public.builds AS parent ON parent.build_no = b.parent_build_no
        """,
    ),
    View(
        "query_hits",
        "One row per index build, query and hit, from the deepest search made; whatever was "
        "recommended from it. Filter by index_name and query_id or query.",
        {
            "index_name": "name of the Elasticsearch index that was searched",
            **QUERY_COLUMNS,
            **HIT_COLUMNS,
            **ITEM_COLUMNS,
            "search_depth": "hits that the search asked for",
            "is_exhausted": "whether there are no hits beyond those of this search",
            "searched_at": "time of the search",
        },
        """
        SELECT b.index_name, q.query_no, q.text, h.hit_rank::integer, h.score, i.item_id, i.title,
            s.depth, s.is_exhausted, s.searched_at
        FROM public.searches AS s
        JOIN public.builds AS b USING (build_no)
        JOIN public.queries AS q USING (query_no)
        CROSS JOIN LATERAL unnest(s.item_nos, s.scores)
            WITH ORDINALITY AS h (item_no, score, hit_rank)
        JOIN public.items AS i ON i.item_no = h.item_no
        WHERE NOT EXISTS (
            SELECT FROM public.searches AS deeper
            WHERE deeper.build_no = s.build_no AND deeper.query_no = s.query_no
            AND deeper.depth > s.depth)
        """,
    ),
)

RUNS = (
    View(
        "runs",
        "One row per run: what it was made with and what became of it.",
        {
            "run_id": "name of the run: kind, date and attempt",
            "run_kind": "nightly",
            "logical_date": RUN_COLUMNS["logical_date"],
            "attempt": "1-based count of runs of that kind and date",
            "run_state": "planned, generating, searching, merging, checking; then published, "
            "rejected (a gate said no), failed, cancelled or superseded",
            "is_published": "whether it is the run that the latest_ views show now",
            "published_at": "time it became that; NULL: it is not that now",
            "cohort_size": "users that it recommends for",
            "k": "items per user",
            "first_depth": "hits asked for per query at first",
            "num_queries": "queries to be written per user",
            "num_beams": "hypotheses of the beam search, of which the queries are the best",
            "max_new_tokens": "most tokens of a query, end token included",
            "length_penalty": "exponent of the length that a hypothesis' log-probability is "
            "divided by",
            "dtype": "number format of the language model: fp32 or fp16",
            "generator_name": "name of the query generator",
            "generator_kind": "gpt2 (a language model) or titles (newest titles as queries)",
            "generator_hash": "hash of the generator's weights, configuration and tokenizer",
            "index_name": "name of the Elasticsearch index that it searches",
            "k1": "BM25 k1 of that index",
            "b": "BM25 b of that index",
            "manifest_hash": "hash (hex) of all inputs: equal hashes, equal results",
            "code_version": "version of the program that planned it",
            "run_actor": "who started the run",
            "planned_at": "start of the run",
            "finished_at": "end of the run; NULL: unfinished",
            "duration_s": "seconds from start to end; NULL: unfinished",
            "run_error": "why it failed or was rejected; NULL: it was not",
        },
        """
        SELECT r.run_id, r.kind, r.logical_date, r.attempt, r.state, p.run_no IS NOT NULL,
            p.published_at, r.cohort_size, r.k, r.depth,
            (d.settings ->> 'num_queries')::integer, (d.settings ->> 'num_beams')::integer,
            (d.settings ->> 'max_new_tokens')::integer, (d.settings ->> 'length_penalty')::real,
            d.settings ->> 'dtype', g.name, g.kind, g.content_hash, b.index_name, b.k1, b.b,
            encode(r.manifest_hash, 'hex'), r.code_version, r.actor, r.planned_at, r.finished_at,
            extract(epoch FROM r.finished_at - r.planned_at)::real, r.error
        FROM public.runs AS r
        JOIN public.builds AS b USING (build_no)
        JOIN public.generators AS g USING (generator_no)
        JOIN public.decodings AS d USING (decoding_no)
        LEFT JOIN public.publications AS p ON p.run_no = r.run_no
        """,
    ),
    View(
        "gate_results",
        "One row per run and gate: the checks before publishing.",
        {
            **RUN_COLUMNS,
            "gate": "name of the gate",
            "has_passed": "whether it let the run pass",
            "measured": "what was measured",
            "required": "what was asked",
            "checked_at": "time of the check",
        },
        "SELECT r.run_id, r.logical_date, g.gate, g.passed, g.measured, g.required, g.checked_at "
        "FROM public.gate_results AS g JOIN public.runs AS r USING (run_no)",
    ),
    View(
        "user_outcomes",
        "One row per run and user: what became of the user in the run.",
        {
            **RUN_COLUMNS,
            **USER_COLUMN,
            "outcome": "ok, no_history, no_titles, empty_query, no_hits or failed",
            "bought_item_count": "distinct items bought up to the run's cut-off",
            "prompt_item_count": "newest of those that the generator read the titles of",
            "query_count": "generated queries that were used",
            "found_count": "recommendations that generated queries found, before fallbacks",
            "recommendation_count": "recommendations in all, fallbacks included",
            "short_reason": "why found_count is below the run's k; NULL: it is not",
            "user_error": "what failed for this user; NULL: nothing",
        },
        """
        SELECT r.run_id, r.logical_date, u.user_id, o.outcome, ru.n_bought,
            cardinality(ru.item_nos), o.n_queries, o.n_found, o.n_recommended, o.short_reason,
            o.error
        FROM public.user_outcomes AS o
        JOIN public.run_users AS ru ON ru.run_no = o.run_no AND ru.user_no = o.user_no
        JOIN public.runs AS r ON r.run_no = o.run_no
        JOIN public.users AS u ON u.user_no = o.user_no
        """,
    ),
)

GENERATED = """
SELECT r.run_id, r.logical_date, u.user_id, gq.rank AS query_rank, q.query_no AS query_id,
    q.text AS query, gq.sum_logprob / greatest(gq.n_tokens, 1) AS beam_score,
    gq.n_tokens AS query_tokens, g.created_at AS generated_at
FROM public.run_users AS ru
JOIN public.runs AS r ON r.run_no = ru.run_no
JOIN public.generators AS t ON t.generator_no = r.generator_no
JOIN public.users AS u ON u.user_no = ru.user_no
JOIN public.generations AS g ON g.prompt_no = ru.prompt_no
    AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
JOIN public.generated_queries AS gq ON gq.generation_no = g.generation_no
JOIN public.queries AS q ON q.query_no = gq.query_no
"""
GENERATED_COLUMNS = {
    **RUN_COLUMNS,
    **USER_COLUMN,
    "query_rank": "1-based rank of the query among those of the user, by beam score",
    **QUERY_COLUMNS,
    "beam_score": "mean natural-log probability per token, end token included; 0 is certain",
    "query_tokens": "tokens of the query, end token included",
    "generated_at": "time it was written: before the run if an earlier one had the same input",
}
RECOMMENDED = """
SELECT r.run_id, r.logical_date, u.user_id, c.rank, i.item_id, i.title, c.source,
    c.source IN ('last_title', 'popular') AS is_fallback, q.query_no AS query_id,
    q.text AS query, c.query_rank, c.hit_rank, c.score, b.index_name
FROM public.recommendations AS c
JOIN public.runs AS r ON r.run_no = c.run_no
JOIN public.builds AS b ON b.build_no = r.build_no
JOIN public.users AS u ON u.user_no = c.user_no
JOIN public.items AS i ON i.item_no = c.item_no
LEFT JOIN public.queries AS q ON q.query_no = c.query_no
"""
RECOMMENDED_COLUMNS = {
    **RUN_COLUMNS,
    **USER_COLUMN,
    "rank": "1-based place in the user's list",
    **ITEM_COLUMNS,
    "source": "query (in the share of a generated query), backfill (a deeper hit of one), "
    "last_title (newest bought title as the query) or popular",
    "is_fallback": "whether no generated query found it: source last_title or popular",
    "query_id": QUERY_COLUMNS["query_id"] + "; NULL: popular",
    "query": "the query that found the item; NULL: popular",
    "query_rank": "rank of that query among those generated for the user; NULL: fallback",
    "hit_rank": HIT_COLUMNS["hit_rank"] + "; NULL: popular",
    "score": HIT_COLUMNS["score"] + "; NULL: popular",
    "index_name": "name of the Elasticsearch index that was searched",
}

PER_USER = (
    View(
        "generated_queries",
        "One row per run, user and query: what the generator expects the user to type next. "
        "Filter by run_id.",
        GENERATED_COLUMNS,
        GENERATED,
    ),
    View(
        "latest_generated_queries",
        "One row per user and query of the published run.",
        GENERATED_COLUMNS,
        f"{GENERATED} WHERE ru.run_no = {PUBLISHED}",
    ),
    View(
        "recommendations",
        "One row per run, user and rank, as the run made them. Filter by run_id.",
        RECOMMENDED_COLUMNS,
        RECOMMENDED,
    ),
    View(
        "latest_recommendations",
        "One row per user and rank of the published run. Items deactivated since are left out, so "
        "ranks may have gaps.",
        RECOMMENDED_COLUMNS,
        f"{RECOMMENDED} WHERE c.run_no = {PUBLISHED} AND i.is_active",
    ),
    View(
        "zero_hit_queries",
        "One row per run and generated query that finds nothing: what users are expected to look "
        "for and the catalog does not have.",
        {
            **RUN_COLUMNS,
            **QUERY_COLUMNS,
            "is_empty_query": "whether no token of the query was left after analysis",
            "user_count": "users that the query was generated for",
        },
        """
        SELECT r.run_id, r.logical_date, q.query_no, q.text, s.is_empty_query,
            count(DISTINCT ru.user_no)::integer
        FROM public.runs AS r
        JOIN public.generators AS t ON t.generator_no = r.generator_no
        JOIN public.searches AS s
            ON s.build_no = r.build_no AND s.depth = r.depth AND s.item_nos = '{}'
        JOIN public.queries AS q ON q.query_no = s.query_no
        JOIN public.generated_queries AS gq ON gq.query_no = s.query_no
        JOIN public.generations AS g ON g.generation_no = gq.generation_no
            AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
        JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
        GROUP BY r.run_no, q.query_no, s.is_empty_query
        """,
    ),
)
VIEWS = (*CATALOG, *INDEX, *RUNS, *PER_USER)


def upgrade() -> None:
    op.execute("CREATE SCHEMA analytics")
    op.execute("COMMENT ON SCHEMA analytics IS 'Views for analysts; read-only.'")
    op.execute("GRANT USAGE ON SCHEMA analytics TO gpt4rec_analyst, gpt4rec_writer")
    create_views(op.execute, VIEWS)


def downgrade() -> None:
    drop_views(op.execute, VIEWS)
    op.execute("DROP SCHEMA analytics")
