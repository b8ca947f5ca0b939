"""The recipes that each method is measured by."""

from dataclasses import replace

from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe


def test_queries_alone_are_measured_once_for_recipes_that_write_the_same() -> None:
    plain = Recipe()
    fused = replace(plain, fusion=Fusion((("queries", 1.0), ("co_purchase", 1.0))))
    chosen = replace(plain, decoding=replace(plain.decoding, mode="titles", length_penalty=0.0))
    named = tuple(
        NamedRecipe(name, one) for name, one in zip("abc", (plain, fused, chosen), strict=True)
    )
    options = EvaluateOptions(methods=("queries", "product"), recipes=named)
    assert [one.name for one in options.recipes_of("product")] == ["a", "b", "c"]
    assert [one.name for one in options.recipes_of("queries")] == ["a", "c"]
