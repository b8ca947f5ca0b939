"""Defects, each with the gates that name it; sizes and seeds are drawn from the defect's chance.

A defect changes a ``World`` (a copy of a shop with four published nights) before its next night, or
damages what a clean night stored before it is checked again.
"""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from benchmarks.gates.fakes import Broken, Vectors
from benchmarks.gates.networks import random_network
from benchmarks.gates.nights import PRODUCT, QUERIES, World
from benchmarks.gates.shops import WORDS
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.options.recipe import NamedRecipe
from gpt4rec_es.night.inputs.parts import utc_now

Change = Callable[[World, random.Random], None]


@dataclass(frozen=True)
class Defect:
    """A defect. gates: those of which one must refuse the night. is_large: needs 1,200 users."""

    name: str
    gates: tuple[str, ...]
    change: Change
    is_large: bool = False


def _generator(rewrite: object, name: str, logprob: float | None = None) -> Change:
    def change(world: World, _chance: random.Random) -> None:
        world.generator = Broken(name, rewrite, logprob)
        world.recipe = QUERIES if "alone" in name else PRODUCT

    return change


def _letters(chance: random.Random, n: int) -> str:
    return "".join(chance.choice("bcdfghjklmnpqrstvwxz") for _ in range(n))


def _sql(statement: str) -> Change:
    """Change the data before the night; ``:part`` is a drawn fraction of 0.3 to 0.7."""

    def change(world: World, chance: random.Random) -> None:
        part = chance.uniform(0.3, 0.7)
        for one in statement.split(";"):
            world.place.run(one, **({"part": part} if ":part" in one else {}))

    return change


_NEW_CATALOG = "UPDATE catalog_state SET catalog_version = catalog_version + 1"
_PART = "abs(hashint4({})::bigint) % 1000 < 1000 * cast(:part AS float8)"


def _damage(statement: str) -> Change:
    """Damage the stored night before it is checked again; ``:run`` is its number."""

    def change(world: World, chance: random.Random) -> None:
        part = chance.uniform(0.3, 0.7)

        def damage(connection: Connection, run: Run) -> None:
            _uncheck(connection, run)
            for one in statement.split(";"):
                given = {"run": run.run_no, "part": part}
                connection.execute(
                    text(one), {name: it for name, it in given.items() if f":{name}" in one}
                )

        world.damage = damage

    return change


def _uncheck(connection: Connection, run: Run) -> None:
    """Take the run back to before its check: the night before is published again."""
    connection.execute(
        text("UPDATE publications SET run_no = previous_run_no WHERE run_no = :run"),
        {"run": run.run_no},
    )
    connection.execute(
        text("UPDATE runs SET state = 'checking' WHERE run_no = :run"), {"run": run.run_no}
    )


def _documents(statement: str) -> Change:
    """Change the documents of the next night's build by a script, before it is planned."""

    def change(world: World, chance: random.Random) -> None:
        elastic, alias = world.place.elastic, world.place.alias
        world.place.run(_NEW_CATALOG)
        ensure, part = world.parts().ensure_index, chance.uniform(0.3, 0.7)

        def damaged() -> int:
            build_no = ensure()
            (index,) = elastic.indices.get_alias(name=alias).body
            elastic.indices.put_settings(index=index, settings={"index.blocks.write": None})
            script = {"source": statement, "params": {"part": part}, "lang": "painless"}
            elastic.update_by_query(index=index, script=script, refresh=True)
            world.ensure_index = lambda: build_no
            return build_no

        done: list[int] = []
        world.ensure_index = lambda: done[0] if done else done.append(damaged()) or done[0]

    return change


def _bm25(world: World, chance: random.Random) -> None:
    k1 = chance.choice([0.3, 0.5, 2.0])

    def damage(connection: Connection, run: Run) -> None:
        _uncheck(connection, run)
        set_k1(world, run.index_name, k1)

    world.place.run(_NEW_CATALOG)
    world.damage = damage


def set_k1(world: World, index: str, k1: float) -> None:
    """Change k1 of an index, and wait until it answers again."""
    elastic = world.place.elastic
    settings = {"index.similarity.catalog_bm25.k1": k1}
    elastic.indices.put_settings(index=index, settings=settings, reopen=True)
    elastic.cluster.health(index=index, wait_for_status="yellow")


def _not_applied(world: World, chance: random.Random) -> None:
    k1 = chance.choice([0.4, 0.9, 1.8])

    def damage(connection: Connection, run: Run) -> None:
        _uncheck(connection, run)
        connection.execute(
            text(
                "UPDATE runs SET manifest = jsonb_set(manifest, '{build,k1}', to_jsonb("
                "cast(:k1 AS float8))) WHERE run_no = :run"
            ),
            {"k1": k1, "run": run.run_no},
        )

    world.damage = damage


def _reranker(*, is_constant: bool, name: str) -> Change:
    def change(world: World, _chance: random.Random) -> None:
        maker = Vectors(name, is_constant=is_constant)
        with world.engine.begin() as connection:
            rerankers.register(
                connection,
                name=name,
                content_hash=maker.content_hash,
                path="/there",
                gpt2="gpt2",
                width=maker.width,
                history_length=maker.history_length,
                card={},
                actor="bench",
            )
        world.open_reranker = lambda _row: maker
        fusion = PRODUCT.recipe.fusion
        learned = (*fusion.coefficients, ("rerank", 0.1))
        recipe = replace(
            PRODUCT.recipe, fusion=replace(fusion, coefficients=learned), reranker=name
        )
        world.recipe = NamedRecipe(name, recipe)

    return change


def _clock(world: World, chance: random.Random) -> None:
    ahead = dt.timedelta(days=1, minutes=chance.randint(-90, 90))
    world.now = lambda: utc_now() + ahead


def _clock_behind(world: World, chance: random.Random) -> None:
    behind = dt.timedelta(hours=chance.randint(2, 400))
    world.now = lambda: utc_now() - behind


def _no_coefficient(world: World, _chance: random.Random) -> None:
    fusion = PRODUCT.recipe.fusion
    kept = tuple(pair for pair in fusion.coefficients if not pair[0].startswith("query"))
    recipe = replace(PRODUCT.recipe, fusion=replace(fusion, coefficients=kept))
    world.recipe = NamedRecipe("without", recipe)


def _held_out(rewrite: object, name: str) -> Change:
    def change(world: World, _chance: random.Random) -> None:
        world.generator = Broken(name, rewrite)

    return change


def _network(kind: str) -> Change:
    def change(world: World, chance: random.Random) -> None:
        world.generator = random_network(world.place, kind, chance.randrange(1000))
        world.recipe = QUERIES

    return change


def _analysis(world: World, _chance: random.Random) -> None:
    """Index with an analyzer that maps every title to other terms than queries have."""
    world.analysis = Analysis("english")
    world.place.run(_NEW_CATALOG)
    elastic, alias = world.place.elastic, world.place.alias
    ensure = world.parts().ensure_index

    def wrong() -> int:
        build_no = ensure()
        (index,) = elastic.indices.get_alias(name=alias).body
        elastic.indices.close(index=index)
        analyzer = {"type": "custom", "tokenizer": "keyword", "filter": ["reverse"]}
        settings = {"index.analysis.analyzer.catalog_search": analyzer}
        elastic.indices.put_settings(index=index, settings=settings)
        elastic.indices.open(index=index)
        elastic.cluster.health(index=index, wait_for_status="yellow")
        world.ensure_index = lambda: build_no
        return build_no

    done: list[int] = []
    world.ensure_index = lambda: done[0] if done else done.append(wrong()) or done[0]


_READABLE = ("queries_are_readable",)
_DIFFER = ("lists_differ",)
_FALLBACKS = ("few_fallbacks",)
_CATALOG = ("catalog_did_not_shrink",)
_BUILD = ("build_has_the_catalog", "build_is_unchanged")
_LISTS = ("lists_resemble_the_published", "bought_items_are_left_out")
_HIDDEN = ("hidden_purchases_are_found",)

DEFECTS: tuple[Defect, ...] = (
    Defect(
        "constant generator",
        _DIFFER,
        _generator(lambda _p, _q, _c: ["red set", "small box"], "constant"),
    ),
    Defect(
        "constant generator, queries alone",
        _DIFFER,
        _generator(lambda _p, _q, _c: ["white", "set of small"], "constant alone"),
    ),
    Defect(
        "same first query for 80 %",
        _DIFFER,
        _generator(lambda _p, q, c: ["set", *q] if c.random() < 0.8 else q, "mostly constant"),
    ),
    Defect(
        "NaN log-probabilities",
        ("scores_are_numbers",),
        _generator(lambda _p, q, _c: q, "nan", float("nan")),
    ),
    Defect(
        "infinite log-probabilities",
        ("scores_are_numbers",),
        _generator(lambda _p, q, _c: q, "infinite", float("-inf")),
    ),
    Defect(
        "NaN weights of a network",
        ("few_users_failed", "scores_are_numbers", "few_fallbacks"),
        _network("nan"),
    ),
    Defect("random weights of a network", (*_READABLE, *_FALLBACKS), _network("random")),
    Defect(
        "network with the tokenizer of another", (*_READABLE, *_FALLBACKS), _network("tokenizer")
    ),
    Defect("no queries", _FALLBACKS, _generator(lambda _p, _q, _c: [], "none")),
    Defect(
        "no queries for half of the users",
        _FALLBACKS,
        _generator(lambda _p, q, c: q if c.random() < 0.5 else [], "half"),
    ),
    Defect(
        "queries of punctuation",
        (*_READABLE, *_FALLBACKS),
        _generator(lambda _p, _q, c: ["?!" * c.randint(1, 4), "- -"], "punctuation"),
    ),
    Defect(
        "one word repeated",
        _READABLE,
        _generator(
            lambda _p, q, c: [" ".join([one.split()[0]] * c.randint(6, 20)) for one in q], "loop"
        ),
    ),
    Defect(
        "a phrase repeated",
        _READABLE,
        _generator(lambda _p, q, c: [" ".join([one] * c.randint(3, 6)) for one in q], "phrases"),
    ),
    Defect(
        "wrong tokenizer",
        (*_READABLE, *_FALLBACKS),
        _generator(
            lambda _p, q, _c: [
                "".join(f"\u0120{one[i : i + 2]}" for i in range(0, len(one), 2)) for one in q
            ],
            "tokens",
        ),
    ),
    Defect(
        "random letters",
        (*_READABLE, *_FALLBACKS),
        _generator(lambda _p, q, c: [f"{_letters(c, 7)} {_letters(c, 5)}" for _ in q], "letters"),
    ),
    Defect(
        "generator of another catalog",
        (*_READABLE, *_FALLBACKS),
        _generator(
            lambda _p, q, c: [
                f"{c.choice(['shampoo', 'diode', 'gearbox', 'fertilizer', 'laptop'])} {c.choice(['ipx7', 'usbc', '1080p', 'xxl'])}"
                for _ in q
            ],
            "other",
        ),
    ),
    Defect(
        "queries cut to single letters",
        (*_READABLE, *_FALLBACKS),
        _generator(
            lambda _p, q, _c: [" ".join(word[:1] for word in one.split()) for one in q], "cut"
        ),
    ),
    Defect(
        "queries as long as prompts",
        _READABLE,
        _generator(
            lambda p, q, _c: [f"{one} {' '.join(dict.fromkeys(p.split()))}" for one in q], "long"
        ),
    ),
    Defect(
        "queries of another user",
        _HIDDEN,
        _held_out(lambda _p, q, c: [" ".join(c.sample(WORDS, 3)) for _ in q], "shuffled"),
        is_large=True,
    ),
    Defect(
        "queries without the taste of the user",
        _HIDDEN,
        _held_out(
            lambda _p, q, c: [f"{c.choice(WORDS)} {one.split()[-1]}" for one in q], "tasteless"
        ),
        is_large=True,
    ),
    Defect(
        "queries of the words' first half",
        (*_HIDDEN, *_READABLE),
        _held_out(lambda _p, q, c: [f"{one.split()[0]} {_letters(c, 4)}" for one in q], "halves"),
        is_large=True,
    ),
    Defect(
        "truncated cohort",
        ("cohort_did_not_shrink",),
        _sql(
            f"DELETE FROM interactions WHERE user_no IN (SELECT user_no FROM users WHERE {_PART.format('user_no')});"
            "UPDATE catalog_state SET history_version = history_version + 1"
        ),
    ),
    Defect(
        "half of the catalog inactive",
        _CATALOG,
        _sql(
            f"UPDATE items SET is_active = false, version = version + 1 WHERE {_PART.format('item_no')};{_NEW_CATALOG}"
        ),
    ),
    Defect(
        "titles lost for part of the catalog",
        _CATALOG,
        _sql(
            f"UPDATE items SET title = NULL, version = version + 1 WHERE {_PART.format('item_no')};{_NEW_CATALOG}"
        ),
    ),
    Defect(
        "all items inactive",
        (*_FALLBACKS, *_CATALOG, "items_exist_and_are_active"),
        _sql(f"UPDATE items SET is_active = false;{_NEW_CATALOG}"),
    ),
    Defect(
        "prices in cents", _CATALOG, _sql(f"UPDATE items SET price = price * 100;{_NEW_CATALOG}")
    ),
    Defect(
        "prices in thousands",
        _CATALOG,
        _sql(f"UPDATE items SET price = price / 1000;{_NEW_CATALOG}"),
    ),
    Defect("prices lost", _CATALOG, _sql(f"UPDATE items SET price = NULL;{_NEW_CATALOG}")),
    Defect(
        "stale build",
        _BUILD,
        _damage("UPDATE items SET title = title || ' new' WHERE " + _PART.format("item_no")),
    ),
    Defect(
        "build without new items",
        _BUILD,
        _damage(
            "INSERT INTO items (item_id, title, title_raw, version) SELECT 'n' || n, 'new thing', 'new thing', 1 FROM generate_series(1, 40) AS n"
        ),
    ),
    Defect("empty index", (*_FALLBACKS, *_BUILD), _documents("ctx.op = 'delete'")),
    Defect(
        "half of the documents lost",
        _BUILD,
        _documents("if (ctx._source.item_no % 100 < 100 * params.part) ctx.op = 'delete'"),
    ),
    Defect(
        "swapped item numbers in the index",
        (*_BUILD, *_LISTS),
        _documents(
            "ctx._source.item_no = ctx._source.item_no % 2 == 0 ? ctx._source.item_no - 1 : ctx._source.item_no + 1"
        ),
    ),
    Defect(
        "documents with titles of other items",
        _BUILD,
        _documents("ctx._source.title = 'item ' + ctx._source.item_no"),
    ),
    Defect(
        "documents all inactive",
        (*_FALLBACKS, "items_exist_and_are_active"),
        _documents("ctx._source.is_active = false"),
    ),
    Defect(
        "wrong analyzer of queries",
        (*_FALLBACKS, "every_source_took_part", "lists_are_full"),
        _analysis,
    ),
    Defect("k1 changed after planning", ("build_is_unchanged",), _bm25),
    Defect("k1 not applied", ("build_is_unchanged",), _not_applied),
    Defect(
        "rule that blocks everything",
        (*_FALLBACKS, "items_exist_and_are_active"),
        _sql(
            "INSERT INTO block_rules (kind, value, reason, actor) SELECT 'item', item_id, 'x', 'bench' FROM items"
        ),
    ),
    Defect(
        "rule that blocks most",
        (*_FALLBACKS, "lists_are_full", *_DIFFER),
        _sql(
            "INSERT INTO block_rules (kind, value, reason, actor) SELECT 'item', item_id, 'x', 'bench' FROM items WHERE item_no % 100 > 0"
        ),
    ),
    Defect(
        "recipe whose queries have no coefficient", ("every_source_took_part",), _no_coefficient
    ),
    Defect(
        "recipe that fuses nothing but a far candidate",
        _DIFFER + _HIDDEN + _LISTS,
        _damage(
            "DELETE FROM recommendations WHERE run_no = :run;"
            "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) "
            "SELECT :run, user_no, rank, rank, 'history_titles' FROM user_outcomes CROSS JOIN generate_series(1, 10) AS rank "
            "WHERE run_no = :run"
        ),
    ),
    Defect(
        "re-ranker that returns constants",
        ("re_ranker_took_part",),
        _reranker(is_constant=True, name="constants"),
    ),
    Defect(
        "lists of other users",
        _LISTS,
        _damage(
            "CREATE TEMP TABLE shifted AS SELECT r.*, (SELECT min(user_no) FROM run_users AS u WHERE u.run_no = :run AND u.user_no > r.user_no + 100 * cast(:part AS float8)) AS other FROM recommendations AS r WHERE run_no = :run;"
            "DELETE FROM recommendations WHERE run_no = :run;"
            "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) SELECT run_no, other, rank, item_no, source FROM shifted WHERE other IS NOT NULL"
        ),
    ),
    Defect(
        "item numbers shifted",
        _LISTS,
        _damage(
            "UPDATE recommendations SET item_no = -item_no WHERE run_no = :run;"
            "UPDATE recommendations SET item_no = 1 + (-item_no) % (SELECT max(item_no) FROM items) WHERE run_no = :run"
        ),
    ),
    Defect(
        "bought items in lists",
        ("bought_items_are_left_out",),
        _damage(
            "UPDATE recommendations AS r SET item_no = u.newest_item_nos[1] FROM run_users AS u WHERE u.run_no = :run AND r.run_no = :run "
            "AND u.user_no = r.user_no AND r.rank = 1 AND u.n_bought > 0 AND "
            + _PART.format("r.user_no")
        ),
    ),
    Defect(
        "lists of the night before",
        _LISTS,
        _damage(
            "DELETE FROM recommendations WHERE run_no = :run;"
            "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) SELECT :run, user_no, rank, item_no, source "
            "FROM recommendations WHERE run_no = (SELECT run_no FROM publications)"
        ),
    ),
    Defect(
        "NaN scores in lists",
        ("scores_are_numbers",),
        _damage(
            "UPDATE recommendations SET fused_score = 'NaN' WHERE run_no = :run AND "
            + _PART.format("user_no")
        ),
    ),
    Defect(
        "lost outcomes",
        ("every_user_has_one_outcome",),
        _damage("DELETE FROM user_outcomes WHERE run_no = :run AND " + _PART.format("user_no")),
    ),
    Defect(
        "lists cut after the merge",
        ("every_user_has_one_outcome",),
        _damage(
            "DELETE FROM recommendations WHERE run_no = :run AND rank > 1 + 8 * cast(:part AS float8)"
        ),
    ),
    Defect(
        "failed users",
        ("few_users_failed",),
        _damage(
            "UPDATE user_outcomes SET outcome = 'failed' WHERE run_no = :run AND "
            + _PART.format("user_no")
        ),
    ),
    Defect(
        "co-purchases lost",
        ("every_source_took_part",) + _LISTS,
        _damage(
            "UPDATE recommendations SET source = 'history_titles' WHERE run_no = :run AND source = 'co_purchase'"
        ),
    ),
    Defect("clock a day ahead", ("clock_is_right",), _clock),
    Defect("clock behind", ("clock_is_right",), _clock_behind),
)
