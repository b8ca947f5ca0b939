"""Defects that were invented after the gates were frozen; any gate may refuse them.

The first ten were tried once, and gates were changed for two of them (markup, purchases in reverse
order); four were invented after that. A fifth, lists in reverse order, was missed; a gate was made
for it, so it is among the seeded ones now. The last ten, of other kinds, are tried with gates that
were not changed for them.
"""

import itertools
import random
from dataclasses import replace

from benchmarks.gates.changes import NEW_CATALOG, Defect, damage, documents, generator, hidden, sql
from benchmarks.gates.data_defects import reranker
from benchmarks.gates.fakes import Rewrite, Shifted, Swapped
from benchmarks.gates.nights import PRODUCT, World
from benchmarks.gates.shops import WORDS
from gpt4rec_es.night.publish.gates import GATES
from gpt4rec_es.options.recipe import NamedRecipe

_ANY = tuple(gate.name for gate in GATES)
_HISTORIES = "UPDATE catalog_state SET history_version = history_version + 1"
_VOWELS = str.maketrans("", "", "aeiou")


def _negated(world: World, _chance: random.Random) -> None:
    fusion = PRODUCT.recipe.fusion
    turned = tuple((name, -value) for name, value in fusion.coefficients)
    recipe = replace(PRODUCT.recipe, fusion=replace(fusion, coefficients=turned))
    world.recipe = NamedRecipe("negated", recipe)


def _phrases(world: World, _chance: random.Random) -> None:
    world.phrases = tuple(WORDS)


def _shifted(world: World, _chance: random.Random) -> None:
    world.generator = Shifted()


def _swapped(world: World, _chance: random.Random) -> None:
    world.around = Swapped
    world.place.run(NEW_CATALOG)  # a new build, on which everything is searched again


def _only_first(prompts: int) -> Rewrite:
    """Return a function that writes good queries for the first prompts, then always the same."""
    seen = itertools.count()
    return lambda _, q, _c: q if next(seen) < prompts else ["red set", "small box"]


_FIRST = (
    Defect(
        "queries of the oldest purchase only",
        _ANY,
        hidden("oldest", lambda p, _q, _c: [p.split("\n")[-1]]),
        is_large=True,
    ),
    Defect(
        "queries without vowels",
        _ANY,
        generator("vowels", lambda _, q, _c: [one.translate(_VOWELS) for one in q]),
    ),
    Defect(
        "queries with markup",
        _ANY,
        generator("markup", lambda _, q, _c: [f'{{"query": "<b>{one}</b>"}}' for one in q]),
    ),
    Defect(
        "popular items for part of the users, counted as found",
        _ANY,
        damage(
            "DELETE FROM recommendations WHERE run_no = :run AND is_part(user_no);"
            "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) "
            "SELECT :run, o.user_no, p.rank, p.item_no, 'popular' FROM user_outcomes AS o "
            "JOIN run_popular AS p ON p.run_no = :run AND p.rank <= 10 "
            "WHERE o.run_no = :run AND is_part(o.user_no)"
        ),
    ),
    Defect(
        "titles cut to their first word in the index",
        _ANY,
        documents(
            "def t = ctx._source.title; int i = t.indexOf(' '); "
            "if (i > 0) ctx._source.title = t.substring(0, i)"
        ),
    ),
    Defect(
        "the same title for all items in the feed",
        _ANY,
        sql(f"UPDATE items SET title = 'article', title_raw = 'article';{NEW_CATALOG}"),
    ),
    Defect(
        "purchases in reverse order",
        _ANY,
        sql(f"UPDATE interactions SET event_no = -event_no, ordinal = -ordinal;{_HISTORIES}"),
    ),
    Defect(
        "purchases of the next user",
        _ANY,
        sql(
            "CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM interactions;"
            "DELETE FROM interactions;"
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT 1 + user_no % (SELECT max(user_no) FROM users), item_no, event_no, ordinal, "
            f"version FROM moved;{_HISTORIES}"
        ),
    ),
    Defect("recipe with negated coefficients", _ANY, _negated, is_large=True),
    Defect("forbidden phrases that forbid every word", _ANY, _phrases),
)
_LAST = (
    Defect("queries of the next prompt in the batch", _ANY, _shifted, is_large=True),
    Defect(
        "titles of part of the items in another language",
        _ANY,
        sql(
            "UPDATE items SET title = translate(title, 'aeiou', 'ouaei'), "
            "title_raw = translate(title, 'aeiou', 'ouaei') "
            f"WHERE is_part(item_no);{NEW_CATALOG}"
        ),
    ),
    Defect(
        "purchases in order of item numbers",
        _ANY,
        sql(f"UPDATE interactions SET event_no = item_no, ordinal = item_no;{_HISTORIES}"),
    ),
    Defect(
        "popular items as purchases of everybody",
        _ANY,
        sql(
            f"{_HISTORIES};"
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT u.user_no, p.item_no, 1, 1, (SELECT history_version FROM catalog_state) "
            "FROM users AS u CROSS JOIN (SELECT item_no FROM interactions GROUP BY item_no "
            "ORDER BY count(*) DESC, item_no LIMIT 30) AS p "
            "WHERE NOT EXISTS (SELECT FROM interactions AS i "
            "WHERE i.user_no = u.user_no AND i.item_no = p.item_no)"
        ),
    ),
)
_OTHER_KINDS = (
    Defect(
        "titles of other items in the feed",
        _ANY,
        sql(
            "UPDATE items AS i SET title = o.title, title_raw = o.title FROM items AS o "
            "WHERE o.item_no = 1 + (7 * i.item_no + 3) % (SELECT max(item_no) FROM items);"
            f"{NEW_CATALOG}"
        ),
    ),
    Defect(
        "every item twice, under another id",
        _ANY,
        sql(
            "INSERT INTO items (item_id, title, title_raw, price, version) "
            f"SELECT item_id || '-2', title, title, price, version FROM items;{NEW_CATALOG}"
        ),
    ),
    Defect(
        "all purchases but each user's newest one lost",
        _ANY,
        sql(
            "DELETE FROM interactions AS i WHERE EXISTS (SELECT FROM interactions AS later "
            f"WHERE later.user_no = i.user_no AND later.ordinal > i.ordinal);{_HISTORIES}"
        ),
    ),
    Defect(
        "history version of an old backup",
        _ANY,
        sql("UPDATE catalog_state SET history_version = 1"),
    ),
    Defect("hits of other queries", _ANY, _swapped),
    Defect("a generator that fails after its canary", _ANY, generator("later", _only_first(250))),
    Defect(
        "queries in reverse order of probability",
        _ANY,
        hidden("reverse", lambda _, q, _c: [" ".join(one.split()[:2]) for one in q[::-1]]),
        is_large=True,
    ),
    Defect(
        "a re-ranker of random vectors",
        _ANY,
        reranker("random", is_constant=False, coefficient=2.0),
        is_large=True,
    ),
    Defect(
        "a gift as the newest purchase of three in ten users",
        _ANY,
        sql(
            f"{_HISTORIES};"
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT user_no, 77, 99, 99, (SELECT history_version FROM catalog_state) "
            "FROM users WHERE user_no % 10 < 3 ON CONFLICT DO NOTHING"
        ),
    ),
    Defect(
        "nonsense for a tenth of the users",
        _ANY,
        hidden("tenth", lambda _, q, c: q if c.random() > 0.1 else [str(c.randrange(10**9))]),
    ),
)
INVENTED = (*_FIRST, *_LAST, *_OTHER_KINDS)
