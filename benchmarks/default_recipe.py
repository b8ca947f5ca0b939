"""Fit the coefficients of a shipped recipe on several shops, and measure how they travel.

    python -m benchmarks.default_recipe [--recipe default] [--users 4000] [--write] SHOP ...

A SHOP is DATABASE_URL,ALIAS,SPLIT[,GENERATOR]: an installation with a split that holds purchases
back. All shops count alike. For each shop it prints recall at 10 and 40 on half of the users: of
the best single source (co-purchases or titles), of coefficients fitted on the other half, on all
shops, and on the other shops only. --write puts the coefficients, fitted on all users, into the
recipe.
"""

import argparse
import json
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.evaluation.data import choose_eval_users, read_catalog
from gpt4rec_es.lab.evaluation.evaluate import chosen_generator
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.made_lists import MethodLists
from gpt4rec_es.lab.evaluation.night_rules import apply_rules
from gpt4rec_es.lab.evaluation.sources import query_titles
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet, joined
from gpt4rec_es.lab.tuning.lists.collect import Limits
from gpt4rec_es.lab.tuning.lists.fit import Coefficients, fit_coefficients
from gpt4rec_es.lab.tuning.lists.pair_tables import PairTables
from gpt4rec_es.lab.tuning.lists.search_candidates import search_candidates
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.options.recipe import NamedRecipe
from gpt4rec_es.protocols import no_bars
from gpt4rec_es.recipes.shipped import DEFAULT, TITLES, shipped
from gpt4rec_es.resources import resource_path
from gpt4rec_es.runtime import Runtime


@dataclass(frozen=True)
class Shop:
    """Candidates and targets of some validation users of one shop."""

    name: str
    candidates: CandidateSet
    targets: list[Collection[int]]

    def of(self, users: Sequence[int]) -> "Shop":
        """Return these users only."""
        return Shop(self.name, self.candidates.of(users), [self.targets[user] for user in users])


def main(arguments: Sequence[str]) -> None:
    """Print the table, and write the recipe if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.default_recipe")
    parser.add_argument("shops", nargs="+", metavar="SHOP")
    parser.add_argument("--recipe", choices=(DEFAULT, TITLES), default=DEFAULT)
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args(arguments)
    recipe = shipped(asked.recipe)
    shops = [load(one, recipe, asked.users) for one in asked.shops]
    halves = [
        (shop.of(range(0, len(shop.targets), 2)), shop.of(range(1, len(shop.targets), 2)))
        for shop in shops
    ]
    print("| shop | users | best source | fitted to it | to all | to the others |")
    print("|---|---|---|---|---|---|")
    for place, (own, test) in enumerate(halves):
        others = [half for at, (half, _) in enumerate(halves) if at != place]
        fits = [[own], [half for half, _ in halves], *([others] if others else [])]
        cells = [best_source(test), *(recalls(test, fit(several)) for several in fits)]
        print("|", " | ".join([own.name, str(len(test.targets)), *cells]), "|", flush=True)
    if asked.write:
        write(asked.recipe, fit(shops))


def load(text: str, recipe: NamedRecipe, users: int) -> Shop:
    """Return the shop that an argument names, with at most ``users`` validation users.

    recipe: that decodes queries, and gathers candidates.
    """
    url, alias, split_name, *generator = text.split(",")
    own = {"DATABASE_URL": url, "GPT4REC_INDEX_ALIAS": alias}
    runtime = Runtime.from_environment({**os.environ, **own})
    row, split = load_split(runtime.engine, split_name)
    eval_users = choose_eval_users(split.validation, users)
    build = live_build(runtime.engine, runtime.elastic, alias)
    options = EvaluateOptions(
        ("product",), "validation", recipes=(recipe,), generator=generator[0] if generator else None
    )
    catalog = read_catalog(runtime.engine, runtime.elastic, build, None, options.category_labels)
    applied = apply_rules(runtime.engine, runtime.elastic, build.index_name, None)
    lists = MethodLists(
        runtime.engine,
        row,
        eval_users,
        split.train,
        split.baskets,
        catalog,
        applied,
        no_bars,
        options.hardware,
    )
    writer = chosen_generator(runtime.engine, options, row) if generator else None
    queries = lists.queries_by(recipe.recipe, writer, runtime.generator)
    removed, _ = applied.removed(
        sorted({text for own in queries.texts for text in own}),
        recipe.recipe.filters,
        recipe.recipe.search,
    )
    fusion = recipe.recipe.fusion
    collector = search_candidates(
        catalog,
        queries.texts,
        [user.history for user in eval_users],
        PairTables(catalog, split.train, split.baskets, fusion),
        query_titles(catalog),
        Limits.of(fusion),
        removed=removed,
        likelihoods=queries.likelihoods,
    )
    return Shop(alias, collector.collect(fusion), [user.targets for user in eval_users])


def fit(shops: Sequence[Shop]) -> Coefficients:
    """Return coefficients fitted on all shops, each with the same weight."""
    sets = [shop.candidates for shop in shops]
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for one in sets])
    targets = [wanted for shop in shops for wanted in shop.targets]
    return fit_coefficients(joined(sets), targets, weights=weights)


def recalls(shop: Shop, coefficients: Coefficients) -> str:
    """Return recall at 10 and at 40 of the lists by ``coefficients``."""
    return "{:.4f}, {:.4f}".format(*_recalls(shop, coefficients))


def best_source(shop: Shop) -> str:
    """Return the higher recall of two single sources, at 10 and at 40."""
    single = [_recalls(shop, ((name, 1.0),)) for name in ("co_recent", "title_recent")]
    return "{:.4f}, {:.4f}".format(*map(max, zip(*single, strict=True)))


def _recalls(shop: Shop, coefficients: Coefficients) -> list[float]:
    lists = shop.candidates.lists(shop.candidates.scores(coefficients), 40)
    targets = Targets(shop.targets)
    return [float(targets.measure(lists[:, :k])["recall"].mean()) for k in (10, 40)]


def write(name: str, coefficients: Coefficients) -> None:
    """Put the coefficients into the shipped recipe ``name``."""
    path = resource_path("recipes", f"{name}.json")
    document = json.loads(path.read_text("utf-8"))
    document["fusion"]["coefficients"] = dict(coefficients)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
