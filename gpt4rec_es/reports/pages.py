"""Rendering of templates, and pages as files.

Every value that a template prints is escaped, in two steps: control characters become visible, and
the characters that HTML uses become entities. A policy in the page lets no other script run than
the one of the template.
"""

import base64
import hashlib
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import open_target
from gpt4rec_es.logs import one_line
from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.reports import charts, numbers

# Bytes of a page, so that it can be mailed and opens at once everywhere.
MOST_BYTES = 400_000
# Characters of a word that stay on one line.
_WORD = 20


def render(template: str, *, pictures: ItemPictures | None = None, **values: Any) -> str:
    """Return the page of a template; ``pictures``: of its items, None: without."""
    return _environment().get_template(template).render(pictures=pictures, **values) + "\n"


def write(folder: Path, name: str, content: str) -> Path:
    """Write a page into ``folder``, which is made if it does not exist; return its path.

    Raises:
        UsageError: the folder or the file cannot be written.
        ConflictError: another process writes this page.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be made: {error.strerror}.", "Name another by --output."
        ) from error
    path = folder / name
    with open_target(path) as file:
        file.write(content.encode())
    return path


@cache
def _environment() -> Environment:
    loader = PackageLoader("gpt4rec_es.reports")
    found = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    style, script = (loader.get_source(found, name)[0].strip() for name in ("style.css", "sort.js"))
    found.filters.update(lines=_lines, breakable=_breakable)
    found.globals.update(
        style=Markup(style),  # noqa: S704 - a file of the package
        script=Markup(script),  # noqa: S704 - a file of the package
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        numbers=numbers,
        charts=charts,
    )
    return found


def _lines(statement: str) -> Markup:
    """Return SQL with its line breaks, which are the only control characters that stay."""
    return Markup("\n").join(escape(one_line(line)) for line in statement.split("\n"))


def _breakable(value: str) -> Markup:
    """Return a text whose long words may be broken into lines: behind underscores, or anywhere."""
    parts = re.findall(rf"[^\s_]{{,{_WORD}}}_|[^\s_]{{1,{_WORD}}}|\s+", one_line(value))
    found, pause = Markup(), Markup("<wbr>")
    for before, part in pairwise(["", *parts]):
        is_inside = before and not before.isspace() and not part.isspace()
        found += pause + escape(part) if is_inside else escape(part)
    return found


def _visible(value: Any) -> Any:
    """Return a value of a template with its control characters escaped; markup as it is."""
    return one_line(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
