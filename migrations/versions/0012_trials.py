"""Trials of k1, b: points, comparisons and single queries, and their views."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None

INT, SMALL, FLOAT, TEXT = sa.Integer(), sa.SmallInteger(), sa.Float(), sa.Text()
TABLES = ("trials", "trial_points", "trial_comparisons", "trial_queries")


def _column(
    name: str, kind: sa.types.TypeEngine[Any], comment: str, *, nullable: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, comment=comment, nullable=nullable)


def _refers(table: str, column: str, to: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    key = "build_no" if to == "builds" else column
    return sa.ForeignKeyConstraint(
        [column],
        [f"{to}.{key}"],
        name=f"fk_{table}_{column}_{to}",
        ondelete="CASCADE" if cascade else None,
    )


def upgrade() -> None:
    _create_trials()
    _create_points()
    _create_comparisons()
    _create_queries()
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO gpt4rec_writer")
    for name, (comment, columns, select) in VIEWS.items():
        view = f"analytics.{name}"
        op.execute(f"CREATE VIEW {view} ({', '.join(columns)}) AS {select}")
        op.execute(f"GRANT SELECT ON {view} TO gpt4rec_analyst, gpt4rec_writer")
        op.execute(f"COMMENT ON VIEW {view} IS {_literal(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN {view}.{column} IS {_literal(meaning)}")


def downgrade() -> None:
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW analytics.{name}")
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("trial_no", INT, sa.Identity(), nullable=False, comment="number of the trial"),
        _column("split_name", TEXT, "split that it was measured on"),
        _column("split_hash", TEXT, "content hash of that split"),
        _column("part", TEXT, "validation or test"),
        _column("generator_no", INT, "generator that wrote the queries"),
        _column("decoding_no", INT, "how they were decoded"),
        _column("build_no", INT, "the build that was live: its catalog and analyzer were measured"),
        _column("metric", TEXT, "recall or ndcg: what decided"),
        _column("k", SMALL, "items per list"),
        _column("exclude_bought", sa.Boolean(), "whether bought items were left out"),
        _column("grid", TEXT, "coarse, fine or full"),
        _column("seed", sa.BigInteger(), "seed of samples, intervals and tests"),
        _column("n_users", INT, "cases measured"),
        _column("n_queries", INT, "distinct query texts searched"),
        _column("live_k1", FLOAT, "k1 that was live"),
        _column("live_b", FLOAT, "b that was live"),
        _column("best_k1", FLOAT, "k1 of the point with the highest mean"),
        _column("best_b", FLOAT, "b of that point"),
        _column("recommended_k1", FLOAT, "k1 to be used"),
        _column("recommended_b", FLOAT, "b to be used"),
        _column("verdict", TEXT, "what to do and why, in a sentence"),
        _column(
            "verified_build_no",
            INT,
            "build with the best k1, b on which hits were compared with those in process",
        ),
        _column("n_verified", INT, "queries with the same hits on that build"),
        _column("actor", TEXT, "who tuned"),
        _column("code_version", TEXT, "the code that did it"),
        sa.Column(
            "tuned_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="time it was stored",
        ),
        _refers("trials", "generator_no", "generators"),
        _refers("trials", "decoding_no", "decodings"),
        _refers("trials", "build_no", "builds"),
        _refers("trials", "verified_build_no", "builds"),
        sa.PrimaryKeyConstraint("trial_no", name="pk_trials"),
        comment=(
            "One row per trial: a grid of k1, b measured on generated queries and held-out items."
        ),
    )


def _create_points() -> None:
    op.create_table(
        "trial_points",
        _column("trial_no", INT, "the trial"),
        _column("point_no", INT, "1-based, in the order of measuring"),
        _column(
            "analyzer",
            TEXT,
            "analyzer that was tried; NULL: that of the live build",
            nullable=True,
        ),
        _column(
            "fields",
            TEXT,
            "fields with weights that were tried; NULL: the title alone",
            nullable=True,
        ),
        _column(
            "hits_per_query", SMALL, "hits taken of each query; NULL: an equal share", nullable=True
        ),
        _column("k1", FLOAT, "BM25 k1"),
        _column("b", FLOAT, "BM25 b"),
        _column("recall", FLOAT, "mean recall at the trial's k"),
        _column("ndcg", FLOAT, "mean NDCG at the trial's k"),
        _refers("trial_points", "trial_no", "trials", cascade=True),
        sa.PrimaryKeyConstraint("trial_no", "point_no", name="pk_trial_points"),
        comment="One row per trial and point that was measured.",
    )


def _create_comparisons() -> None:
    op.create_table(
        "trial_comparisons",
        _column("trial_no", INT, "the trial"),
        _column(
            "candidate",
            TEXT,
            "best (the point with the highest mean), or what else was tried: analyzer english",
        ),
        _column("reference", TEXT, "defaults or live: k1, b compared with"),
        _column("segment", TEXT, "all, or the group of users"),
        _column("n_users", INT, "users of the segment"),
        _column("gain", FLOAT, "mean difference of the trial's metric"),
        _column("gain_low", FLOAT, "low end of its 95 % interval"),
        _column("gain_high", FLOAT, "high end of its 95 % interval"),
        _column(
            "p_value",
            FLOAT,
            "chance of such a gain without any difference; corrected for the number of tries",
        ),
        _refers("trial_comparisons", "trial_no", "trials", cascade=True),
        sa.PrimaryKeyConstraint(
            "trial_no", "candidate", "reference", "segment", name="pk_trial_comparisons"
        ),
        comment="One row per trial, candidate, reference and segment.",
    )


def _create_queries() -> None:
    op.create_table(
        "trial_queries",
        _column("trial_no", INT, "the trial"),
        _column("direction", TEXT, "gained or lost"),
        _column("place", SMALL, "1-based, the largest change first"),
        _column("user_no", INT, "a user the query was written for"),
        _column("query", TEXT, "the query text"),
        _column("item_no", INT, "the held-out item"),
        _column(
            "rank_before",
            SMALL,
            "place of the item among the hits with the live k1, b; NULL: beyond 100",
            nullable=True,
        ),
        _column(
            "rank_after", SMALL, "the same with the best k1, b; NULL: beyond 100", nullable=True
        ),
        sa.CheckConstraint(
            "direction IN ('gained', 'lost')", name=op.f("ck_trial_queries_direction")
        ),
        _refers("trial_queries", "trial_no", "trials", cascade=True),
        _refers("trial_queries", "user_no", "users", cascade=True),
        _refers("trial_queries", "item_no", "items"),
        sa.PrimaryKeyConstraint("trial_no", "direction", "place", name="pk_trial_queries"),
        comment="One row per query that a trial's best k1, b helps or harms most.",
    )
    op.create_index("ix_trial_queries_user_no", "trial_queries", ["user_no"])


TRIAL = {"trial_id": "number of the trial"}
VIEWS = {
    "trials": (
        "One row per trial: a grid of k1, b measured on generated queries and held-out items.",
        {
            **TRIAL,
            "split_name": "split that it was measured on",
            "trial_part": "validation or test",
            "trial_generator": "generator that wrote the queries",
            "trial_num_queries": "queries per user",
            "trial_num_beams": "hypotheses of the beam search, of which the queries are the best",
            "index_name": "the index that was live and measured",
            "metric": "recall or ndcg: what decided",
            "trial_k": "items per list",
            "trial_excludes_bought": "whether bought items were left out",
            "grid": "coarse, fine or full",
            "trial_user_count": "users measured",
            "distinct_query_count": "distinct query texts searched",
            "live_k1": "k1 that was live",
            "live_b": "b that was live",
            "best_k1": "k1 of the point with the highest mean",
            "best_b": "b of that point",
            "recommended_k1": "k1 to be used",
            "recommended_b": "b to be used",
            "is_change": "whether something else than what was live is to be used",
            "verdict": "what to do and why, in a sentence",
            "verified_count": "queries whose hits on the server were those that were measured",
            "trial_actor": "who tuned",
            "tuned_at": "time of the trial",
        },
        """
        SELECT t.trial_no, t.split_name, t.part, g.name, (d.settings ->> 'num_queries')::integer,
            (d.settings ->> 'num_beams')::integer, b.index_name, t.metric, t.k, t.exclude_bought,
            t.grid, t.n_users, t.n_queries, t.live_k1, t.live_b, t.best_k1, t.best_b,
            t.recommended_k1, t.recommended_b,
            (t.recommended_k1, t.recommended_b) <> (t.live_k1, t.live_b), t.verdict, t.n_verified,
            t.actor, t.tuned_at
        FROM public.trials AS t
        JOIN public.generators AS g USING (generator_no)
        JOIN public.decodings AS d USING (decoding_no)
        JOIN public.builds AS b USING (build_no)
        """,
    ),
    "trial_points": (
        "One row per trial and point that was measured.",
        {
            **TRIAL,
            "analyzer": "analyzer that was tried; NULL: that of the live index",
            "fields": "fields with weights that were tried; NULL: the title alone",
            "hits_per_query": "hits taken of each query; NULL: an equal share",
            "k1": "BM25 k1",
            "b": "BM25 b",
            "recall": "mean recall at the trial's k",
            "ndcg": "mean NDCG at the trial's k",
        },
        """
        SELECT trial_no, analyzer, fields, hits_per_query, k1::real, b::real, recall, ndcg
        FROM public.trial_points
        """,
    ),
    "trial_comparisons": (
        "One row per trial, candidate, reference and segment: how much better, and how surely.",
        {
            **TRIAL,
            "candidate": "best (the point with the highest mean), or what else was tried",
            "reference": "defaults or live: k1, b compared with",
            "segment": "all, or the group of users",
            "segment_user_count": "users of the segment",
            "gain": "mean difference of the trial's metric",
            "gain_low": "low end of its 95 % interval",
            "gain_high": "high end of its 95 % interval",
            "p_value": "chance of such a gain without any difference; corrected for the number "
            "of tries",
        },
        """
        SELECT trial_no, candidate, reference, segment, n_users, gain, gain_low, gain_high, p_value
        FROM public.trial_comparisons
        """,
    ),
    "trial_queries": (
        "One row per query that a trial's best k1, b helps or harms most.",
        {
            **TRIAL,
            "direction": "gained or lost",
            "place": "1-based, the largest change first",
            "user_id": "the shop's id of a user the query was written for",
            "query": "the query text",
            "item_id": "the shop's id of the held-out item",
            "title": "its title",
            "rank_before": "its place among the hits with the live k1, b; NULL: beyond 100",
            "rank_after": "its place with the best k1, b; NULL: beyond 100",
        },
        """
        SELECT t.trial_no, t.direction, t.place, u.user_id, t.query, i.item_id, i.title,
            t.rank_before, t.rank_after
        FROM public.trial_queries AS t
        JOIN public.users AS u USING (user_no) JOIN public.items AS i USING (item_no)
        """,
    ),
}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
