"""Recipes that are part of this version of the program: the JSON files of this folder.

A shipped recipe changes with the program only, and its name cannot be given to a stored one.
"""

from functools import cache

from gpt4rec_es.options.recipe import NamedRecipe
from gpt4rec_es.options.recipe_document import parse_document
from gpt4rec_es.resources import resource_path

# The recipe of an installation that chose none, and all names; each is a file NAME.json.
DEFAULT = "default"
TITLES = "titles"
SHIPPED = (DEFAULT, "paper", TITLES)


@cache
def shipped(name: str) -> NamedRecipe:
    """Return the shipped recipe ``name``, one of ``SHIPPED``."""
    text = resource_path("recipes", f"{name}.json").read_text("utf-8")
    return NamedRecipe(name, parse_document(text, f"The recipe {name!r}"))
