"""Search options: they are part of a search's key, and runs, replays and trials name theirs.

All searches and runs there are were made without. Writers wait while the key of ``searches`` is
indexed anew.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels = None
depends_on = None

SEARCHES = "One row per search:"
KEY = ["build_no", "query_no", "depth"]
MEASURED = ("replays", "trials")
MEASURED_COMMENT = "how many of a query's terms a title had to have; NULL: any was enough"
# Never NULL, so that USING joins by it.
OPTION = "coalesce({} ->> 'minimum_should_match', '1')"
SHOWN = f", {OPTION.format('o.options')} AS minimum_should_match"
SHOWN_COMMENT = (
    "how many of a generated query''s terms a title must have, as 2 or 75%; 1: any is enough"
)
OPTIONS_OF_RUN = "LEFT JOIN public.search_options AS o ON o.options_no = r.search_options_no"
RECOMMENDED = """
    SELECT r.run_id, r.logical_date, u.shown_id AS user_id, c.rank, i.item_id, i.title, c.source,
        c.source IN ('last_title', 'popular') AS is_fallback, q.query_no AS query_id,
        q.text AS query, c.query_rank, c.hit_rank, c.score, b.index_name,
        f.item_id AS from_item_id, f.title AS from_title, c.fused_score {columns}
    FROM public.recommendations AS c
    JOIN public.runs AS r ON r.run_no = c.run_no {tables}
    JOIN public.builds AS b ON b.build_no = r.build_no
    JOIN public.users AS u ON u.user_no = c.user_no
    JOIN public.items AS i ON i.item_no = c.item_no
    LEFT JOIN public.queries AS q ON q.query_no = c.query_no
    LEFT JOIN public.items AS f ON f.item_no = c.from_item_no
"""
# Titles of purchases are searched without.
OF_HIT = f"""
    , CASE WHEN c.query_rank IS NULL THEN '1' ELSE {OPTION.format("o.options")} END
    AS minimum_should_match
"""
PUBLISHED = "(SELECT p.run_no FROM public.publications AS p WHERE p.kind = 'nightly')"

# Name: (SELECT with what is new left open, what is new in the columns and among the tables).
VIEWS = {
    "runs": (
        """
        SELECT r.run_id, r.kind AS run_kind, r.logical_date, r.attempt, r.state AS run_state,
            p.run_no IS NOT NULL AS is_published, p.published_at, r.cohort_size, r.k,
            r.depth AS first_depth, (d.settings ->> 'num_queries')::integer AS num_queries,
            (d.settings ->> 'num_beams')::integer AS num_beams,
            (d.settings ->> 'max_new_tokens')::integer AS max_new_tokens,
            (d.settings ->> 'length_penalty')::real AS length_penalty,
            d.settings ->> 'dtype' AS dtype, g.name AS generator_name, g.kind AS generator_kind,
            g.content_hash AS generator_hash, b.index_name, b.k1, b.b,
            encode(r.manifest_hash, 'hex') AS manifest_hash, r.code_version,
            r.actor AS run_actor, r.planned_at, r.finished_at,
            extract(epoch FROM r.finished_at - r.planned_at)::real AS duration_s,
            r.error AS run_error {columns}
        FROM public.runs AS r
        JOIN public.builds AS b USING (build_no)
        JOIN public.generators AS g USING (generator_no)
        JOIN public.decodings AS d USING (decoding_no)
        LEFT JOIN public.publications AS p ON p.run_no = r.run_no {tables}
        """,
        SHOWN,
        OPTIONS_OF_RUN,
    ),
    "recommendations": (RECOMMENDED, OF_HIT, OPTIONS_OF_RUN),
    "latest_recommendations": (
        f"{RECOMMENDED} WHERE c.run_no = {PUBLISHED} AND i.is_active",
        OF_HIT,
        OPTIONS_OF_RUN,
    ),
    "query_hits": (
        """
        SELECT b.index_name, q.query_no AS query_id, q.text AS query,
            h.hit_rank::integer AS hit_rank, h.score, i.item_id, i.title,
            s.depth AS search_depth, s.is_exhausted, s.searched_at {columns}
        FROM public.searches AS s
        JOIN public.builds AS b USING (build_no)
        JOIN public.queries AS q USING (query_no) {tables}
        CROSS JOIN LATERAL unnest(s.item_nos, s.scores)
            WITH ORDINALITY AS h (item_no, score, hit_rank)
        JOIN public.items AS i ON i.item_no = h.item_no
        WHERE NOT EXISTS (
            SELECT FROM public.searches AS deeper
            WHERE deeper.build_no = s.build_no AND deeper.query_no = s.query_no
            AND deeper.depth > s.depth {same})
        """,
        SHOWN,
        "LEFT JOIN public.search_options AS o ON o.options_no = s.options_no",
    ),
    "zero_hit_queries": (
        """
        SELECT r.run_id, r.logical_date, q.query_no AS query_id, q.text AS query,
            s.is_empty_query, count(DISTINCT ru.user_no)::integer AS user_count {columns}
        FROM public.runs AS r
        JOIN public.generators AS t ON t.generator_no = r.generator_no
        JOIN public.searches AS s
            ON s.build_no = r.build_no AND s.depth = r.depth AND s.item_nos = '{{}}' {tables}
        JOIN public.queries AS q ON q.query_no = s.query_no
        JOIN public.generated_queries AS gq ON gq.query_no = s.query_no
        JOIN public.generations AS g ON g.generation_no = gq.generation_no
            AND g.content_hash = t.content_hash AND g.decoding_no = r.decoding_no
        JOIN public.run_users AS ru ON ru.run_no = r.run_no AND ru.prompt_no = g.prompt_no
        GROUP BY r.run_no, q.query_no, s.is_empty_query
        """,
        "",
        "AND s.options_no = coalesce(r.search_options_no, 0)",
    ),
    "replays": (
        """
        SELECT p.replay_no AS replay_id, r.run_id, r.logical_date, p.changed AS changed_settings,
            p.k AS replay_k, p.num_queries::integer AS used_queries, p.k1::real AS k1,
            p.b::real AS b, p.exclude_bought AS replay_excludes_bought,
            p.n_users AS replayed_users, p.n_recommendations AS replayed_count,
            p.n_searches AS search_count, p.differing_rows = 0 AS is_equal, p.differing_rows,
            p.equal_lists AS equal_list_count, p.mean_jaccard, p.jaccard_deciles,
            p.actor AS replay_actor, p.replayed_at {columns}
        FROM public.replays AS p JOIN public.runs AS r USING (run_no) {tables}
        """,
        ", coalesce(p.minimum_should_match, '1') AS minimum_should_match",
        "",
    ),
    "trials": (
        """
        SELECT t.trial_no AS trial_id, t.split_name, t.part AS trial_part,
            g.name AS trial_generator, (d.settings ->> 'num_queries')::integer AS trial_num_queries,
            (d.settings ->> 'num_beams')::integer AS trial_num_beams, b.index_name, t.metric,
            t.k AS trial_k, t.exclude_bought AS trial_excludes_bought, t.grid,
            t.n_users AS trial_user_count, t.n_queries AS distinct_query_count, t.live_k1,
            t.live_b, t.best_k1, t.best_b, t.recommended_k1, t.recommended_b,
            (t.recommended_k1, t.recommended_b) <> (t.live_k1, t.live_b) AS is_change, t.verdict,
            t.n_verified AS verified_count, t.actor AS trial_actor, t.tuned_at {columns}
        FROM public.trials AS t
        JOIN public.generators AS g USING (generator_no)
        JOIN public.decodings AS d USING (decoding_no)
        JOIN public.builds AS b USING (build_no) {tables}
        """,
        ", coalesce(t.minimum_should_match, '1') AS minimum_should_match",
        "",
    ),
}


def upgrade() -> None:
    op.create_table(
        "search_options",
        sa.Column(
            "options_no",
            sa.Integer(),
            sa.Identity(),
            nullable=False,
            comment="number of the options, from 1 on",
        ),
        sa.Column(
            "options_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="128-bit hash of the options",
        ),
        sa.Column("options", postgresql.JSONB(), nullable=False, comment="options by name"),
        sa.PrimaryKeyConstraint("options_no", name=op.f("pk_search_options")),
        sa.UniqueConstraint("options_hash", name=op.f("uq_search_options_options_hash")),
        comment="One row per distinct set of search options, beyond index and depth.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON search_options TO gpt4rec_writer")
    op.add_column(
        "searches",
        sa.Column(
            "options_no",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="how was searched, see search_options; 0: any term is enough",
        ),
    )
    _key_searches_by(*KEY, "options_no")
    op.execute(f"COMMENT ON TABLE searches IS '{SEARCHES} build, query, depth and options.'")
    op.add_column(
        "runs",
        sa.Column(
            "search_options_no",
            sa.Integer(),
            comment="how its generated queries are searched for; NULL: any term is enough",
        ),
    )
    op.create_foreign_key(
        op.f("fk_runs_search_options_no_search_options"),
        "runs",
        "search_options",
        ["search_options_no"],
        ["options_no"],
    )
    for table in MEASURED:
        op.add_column(table, sa.Column("minimum_should_match", sa.Text(), comment=MEASURED_COMMENT))
    for name, (select, columns, tables) in VIEWS.items():
        same = "AND deeper.options_no = s.options_no"
        query = select.format(columns=columns, tables=tables, same=same)
        op.execute(f"CREATE OR REPLACE VIEW analytics.{name} AS {query}")
        if columns:
            column = f"analytics.{name}.minimum_should_match"
            op.execute(f"COMMENT ON COLUMN {column} IS '{SHOWN_COMMENT}'")


def _key_searches_by(*columns: str) -> None:
    op.drop_constraint("pk_searches", "searches")
    op.create_primary_key("pk_searches", "searches", list(columns))


def downgrade() -> None:
    for name, (select, _, _) in VIEWS.items():
        _make_anew(f"analytics.{name}", select.format(columns="", tables="", same=""))
    for table in MEASURED:
        op.drop_column(table, "minimum_should_match")
    op.drop_column("runs", "search_options_no")
    # They would be taken for searches without options.
    op.execute("DELETE FROM searches WHERE options_no <> 0")
    _key_searches_by(*KEY)
    op.drop_column("searches", "options_no")
    op.execute(f"COMMENT ON TABLE searches IS '{SEARCHES} build, query and depth.'")
    op.drop_table("search_options")


def _make_anew(name: str, query: str) -> None:
    """Make a view without its last column, which replacing cannot, and restore its comments."""
    comments = op.get_bind().execute(
        sa.text(
            "SELECT attname, quote_literal(col_description(attrelid, attnum)) FROM pg_attribute "
            "WHERE attrelid = cast(:name AS regclass) AND attname <> 'minimum_should_match' "
            "UNION ALL SELECT NULL, quote_literal(obj_description(cast(:name AS regclass)))"
        ),
        {"name": name},
    )
    found = comments.all()
    op.execute(f"DROP VIEW {name}")
    op.execute(f"CREATE VIEW {name} AS {query}")
    op.execute(f"GRANT SELECT ON {name} TO gpt4rec_analyst, gpt4rec_writer")
    for column, comment in found:
        what = f"COLUMN {name}.{column}" if column else f"VIEW {name}"
        op.execute(f"COMMENT ON {what} IS {comment}")
