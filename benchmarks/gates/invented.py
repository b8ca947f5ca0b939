"""Defects that were invented after the gates were frozen; any gate may refuse them.

The first ten were tried once, and gates were changed for two of them (markup, purchases in reverse
order); the last four were invented after that. A fifth, lists in reverse order, was missed; a gate
was made for it, so it is among the seeded ones now.
"""

import random
from dataclasses import replace

from benchmarks.gates.changes import NEW_CATALOG, Defect, damage, documents, generator, hidden, sql
from benchmarks.gates.fakes import Shifted
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
INVENTED = (*_FIRST, *_LAST)
