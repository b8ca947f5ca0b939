"""Help, pages and comments in plain English: no unnamed actors, no headless or vague phrases."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gpt4rec_es.cli.reference import DOCUMENT, commands, render

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "gpt4rec_es",
    "workers",
    "migrations",
    "mappings",
    "tests",
    "benchmarks",
    "deploy",
    "docs",
)
SUFFIXES = {".py", ".sql", ".md", ".sh", ".yml", ".yaml", ".toml", ".cfg", ".mako", ".service"}
# Actors have names (worker, planner, operator, analyst), quantities have numbers.
# Underscores separate words, too: names are read like texts.
FORBIDDEN = re.compile(
    r"(?<![^\W_])"
    r"(?:who|whom|whoever|so many|as far as they|another hand|has no say|has a say)"
    r"(?![^\W_])",
    re.IGNORECASE,
)
LEAVES = {
    " ".join(path): command for path, command in commands() if not isinstance(command, click.Group)
}
OPTIONS = [
    (f"{' '.join(path)} {option.opts[0]}", option.help or "")
    for path, command in commands()
    for option in command.params
    if isinstance(option, click.Option)
]


def texts() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    yield from (path for path in ROOT.iterdir() if path.suffix in SUFFIXES)
    yield ROOT / "Makefile"


def test_no_text_has_a_forbidden_phrase() -> None:
    found = []
    for path in texts():
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        if path.name == "CHANGELOG.md":  # names of before
            text = re.sub("`[^`]*`", "`name`", text)
        for match in FORBIDDEN.finditer(" ".join(text.split()) if path.suffix == ".md" else text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(ROOT)}:{line} {match.group()}")
    assert found == []


@pytest.mark.parametrize(
    "text", ["Only so many users.", "Whoever holds it", "of users, who bought"]
)
def test_forbidden_phrases_are_found(text: str) -> None:
    assert FORBIDDEN.search(text)


def test_no_help_has_a_forbidden_phrase() -> None:
    page = " ".join(render().split())
    assert FORBIDDEN.findall(page) == []


@pytest.mark.parametrize(("name", "text"), OPTIONS)
def test_help_of_an_option_reads_alone(name: str, text: str) -> None:
    assert re.match(r"(?:[A-Z]|[a-z]+: )", text), name
    assert not re.match(r"(?:Of|The same|That|Those|These|Such|What|How)\b", text), name
    assert text.endswith((".", "]")), name
    assert len(re.sub(r" \[default.*", "", text).split()) > 1, name


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_with_its_options(name: str) -> None:
    command = LEAVES[name]
    examples = re.findall(r"^\s*Example: (.+)$", command.help or "", re.MULTILINE)
    assert len(examples) == 1
    # The output of some is for the shell to evaluate.
    words = shlex.split(re.sub(r'^eval "\$\((.+)\)"$', r"\1", examples[0]))
    path = name.split()
    assert words[: len(path)] == path
    failure = ""
    try:
        command.make_context(name, words[len(path) :])
    except click.BadParameter as error:
        failure = error.message
    assert failure == "" or "does not exist" in failure  # the example's own file


def test_the_page_of_commands_is_that_of_the_program() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `make reference`"
