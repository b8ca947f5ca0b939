"""Defects of generators: of what they write, and of networks on disk."""

import random

from benchmarks.gates.changes import NOT_STARTED, Change, Defect, generator, hidden
from benchmarks.gates.networks import random_network
from benchmarks.gates.nights import QUERIES, World
from benchmarks.gates.shops import WORDS

_DIFFER = ("lists_differ",)
_FALLBACKS = ("few_fallbacks",)
_READABLE = ("queries_are_readable",)
_UNREADABLE = (*_READABLE, *_FALLBACKS)
_HIDDEN = ("hidden_purchases_are_found",)
_OTHER_SHOP = ("shampoo", "diode", "gearbox", "fertilizer", "laptop", "ipx7", "usbc", "1080p")


def _letters(chance: random.Random, n: int) -> str:
    return "".join(chance.choice("bcdfghjklmnpqrstvwxz") for _ in range(n))


def _network(kind: str) -> Change:
    def change(world: World, chance: random.Random) -> None:
        world.generator = random_network(world.place, kind, chance.randrange(1000))
        world.recipe = QUERIES

    return change


def _pieces(query: str) -> str:
    """Return a query as a tokenizer of other merges prints it."""
    return "".join(f"\u0120{query[i : i + 2]}" for i in range(0, len(query), 2))


GENERATOR_DEFECTS = (
    Defect(
        "constant generator", _DIFFER, generator("constant", lambda *_: ["red set", "small box"])
    ),
    Defect(
        "constant generator without other sources",
        _DIFFER,
        generator("alone", lambda *_: ["white", "set of small"], alone=True),
    ),
    Defect(
        "same first query for 80 % of users",
        _DIFFER,
        generator("mostly", lambda _, q, c: [WORDS[0], *q] if c.random() < 0.8 else q),
    ),
    Defect(
        "NaN log-probabilities",
        ("scores_are_numbers",),
        generator("nan", lambda _, q, _c: q, float("nan")),
    ),
    Defect(
        "infinite log-probabilities",
        ("scores_are_numbers",),
        generator("infinite", lambda _, q, _c: q, float("-inf")),
    ),
    Defect("NaN weights", (NOT_STARTED,), _network("nan")),
    Defect(
        "weights that overflow",
        ("scores_are_numbers", "few_users_failed", *_UNREADABLE, *_DIFFER),
        _network("overflow"),
    ),
    Defect("random weights", _UNREADABLE, _network("random")),
    Defect("tokenizer of another network", _UNREADABLE, _network("tokenizer")),
    Defect("no queries", _FALLBACKS, generator("none", lambda *_: [])),
    Defect(
        "no queries for half of the users",
        _FALLBACKS,
        generator("half", lambda _, q, c: q if c.random() < 0.5 else []),
    ),
    Defect(
        "queries of punctuation",
        _UNREADABLE,
        generator("marks", lambda _, _q, c: ["?!" * c.randint(1, 4), "- -"]),
    ),
    Defect(
        "a word repeated",
        _READABLE,
        generator("loop", lambda _, q, c: [" ".join(q[0].split()[:1] * c.randint(6, 20))]),
    ),
    Defect(
        "a phrase repeated",
        _READABLE,
        generator("phrases", lambda _, q, c: [" ".join([one] * c.randint(3, 6)) for one in q]),
    ),
    Defect(
        "wrong tokenizer", _UNREADABLE, generator("pieces", lambda _, q, _c: list(map(_pieces, q)))
    ),
    Defect(
        "random letters",
        _UNREADABLE,
        generator("letters", lambda _, q, c: [f"{_letters(c, 7)} {_letters(c, 5)}" for _ in q]),
    ),
    Defect(
        "generator of another catalog",
        _UNREADABLE,
        generator("other", lambda _, q, c: [" ".join(c.sample(_OTHER_SHOP, 2)) for _ in q]),
    ),
    Defect(
        "queries cut to single letters",
        _UNREADABLE,
        generator("cut", lambda _, q, _c: [" ".join(w[:1] for w in one.split()) for one in q]),
    ),
    Defect(
        "queries as long as prompts",
        _READABLE,
        generator("long", lambda p, q, _c: [f"{one} {' '.join(p.split()[:30])}" for one in q]),
    ),
    Defect(
        "queries that ignore the user",
        _HIDDEN,
        hidden("ignore", lambda _, q, c: [" ".join(c.sample(WORDS, 3)) for _ in q]),
        is_large=True,
    ),
    Defect(
        "queries without the user's taste",
        _HIDDEN,
        hidden("taste", lambda _, q, c: [f"{c.choice(WORDS)} {one.split()[-1]}" for one in q]),
        is_large=True,
    ),
    Defect(
        "queries of one word",
        _HIDDEN,
        hidden("one word", lambda _, q, _c: [one.split()[-1] for one in q]),
        is_large=True,
    ),
)
