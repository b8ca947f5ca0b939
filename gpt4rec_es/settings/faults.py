"""Wrong values of settings in words, by the variables that set them; secrets are never repeated."""

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from gpt4rec_es.settings.variables import SECRETS, URLS, Path


def faults_of(
    error: ValidationError, given: Mapping[str, str], known: Mapping[str, Path]
) -> Iterator[str]:
    """Yield one phrase per wrong value: the variable, the value unless secret, what is allowed.

    given: text of each variable. known: path of the field that each variable sets.
    """
    variables = {path: variable for variable, path in known.items()}
    names = {path[-1]: variable for variable, path in known.items()}
    for fault in error.errors(include_url=False, include_context=False):
        allowed = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        variable = variables.get(tuple(map(str, fault["loc"])))
        if variable is None:
            # Of a whole record, which knows its fields by their names.
            yield re.sub(r"\w+", lambda word: names.get(word[0], word[0]), allowed).rstrip(".")
            continue
        hidden = known[variable][-1] in {*SECRETS, *URLS}
        value = "" if hidden else f" is {given[variable]!r}"
        yield f"{variable}{value}: {allowed}"
