"""The recipes that each method is measured by."""

import subprocess
import sys
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


def test_methods_without_a_network_load_no_torch() -> None:
    code = (
        "import sys\n"
        "from gpt4rec_es.lab.evaluation import evaluate\n"
        "options = evaluate.EvaluateOptions(('popularity', 'product'))\n"
        "assert options.trained_folders('loo') == []\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
