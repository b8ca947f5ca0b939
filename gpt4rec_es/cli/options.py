"""Options and a group that several commands share, so that names and help texts are the same."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import FLOAT

if TYPE_CHECKING:
    from gpt4rec_es.options.lists import SearchOptions
    from gpt4rec_es.options.recipe import NamedRecipe

Command = TypeVar("Command", bound=Callable[..., Any])

# Passed to the command as ``as_json``.
run_option = click.option(
    "--run",
    "run_id",
    default="latest",
    shell_complete=names("run"),
    show_default=True,
    help="Id of the run.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show what would be done without doing it."
)
reason_option = click.option("--reason", help="Reason, kept in the audit log.")
required_reason_option = click.option(
    "--reason", required=True, help="Reason, kept in the audit log."
)
wide_option = click.option(
    "--wide", is_flag=True, help="Show all columns; without it, those that fit 80 characters."
)
trust_option = click.option(
    "--trust", is_flag=True, help="Accept a generator whose training data is unknown."
)
labels_option = click.option(
    "--category-labels",
    type=click.Choice(["path_without_root", "path", "leaf"]),
    default="path_without_root",
    show_default=True,
    help="Category levels to count for diversity and coverage.",
)
trained_option = click.option(
    "--trained",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a trained baseline or re-ranker to measure, from the whole catalog; "
    "repeatable.",
)
reranker_option = click.option(
    "--reranker",
    shell_complete=names("reranker"),
    help="Registered re-ranker for recipes, in place of the one that they name.",
)
encoder_option = click.option(
    "--encoder",
    shell_complete=names("encoder"),
    help="Registered encoder for recipes and --sources, in place of the one that they name.",
)


def search_fields(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[tuple[str, float], ...] | None:
    """Return fields with weights; the callback of their option."""
    from gpt4rec_es.options.search_options import parse_fields

    try:
        return None if value is None else parse_fields(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


fields_option = click.option(
    "--fields",
    metavar="FIELD:WEIGHT,...",
    callback=search_fields,
    help="Fields that queries search beside the title, whose weight is 1, as "
    'brand:0.3,category:0.1; "" for none. [default: by the recipe]',
)
_RULES = (
    click.option("--min-price", type=FLOAT, help="Lowest price of recommended items."),
    click.option("--max-price", type=FLOAT, help="Highest price of recommended items."),
    click.option(
        "--category",
        "categories",
        multiple=True,
        help="Recommend only items of this category path; repeatable.",
    ),
    click.option(
        "--max-per-brand", type=int, help="Maximum number of items of one brand per list."
    ),
)


def rule_options(command: Command) -> Command:
    """Add the options for the rules of all lists."""
    for option in reversed(_RULES):
        command = option(command)
    return command


def part_option(
    default: str = "test", meaning: str = "Held-out part of the split."
) -> Callable[[Command], Command]:
    """Return an option ``--part``: which held-out part of a split is meant."""
    return click.option(
        "--part",
        type=click.Choice(["validation", "test"]),
        default=default,
        show_default=True,
        help=meaning,
    )


def numbers(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the numbers of an option such as "5,10,20", each once; its callback."""
    try:
        found = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter("numbers with commas between, as 5,10,20,40") from None
    if min(found) < 1:
        raise click.BadParameter("numbers from 1 on")
    return found


def address(_: click.Context, __: click.Parameter, value: str) -> tuple[str, int]:
    """Return host and port of an option such as 127.0.0.1:9464; its callback."""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, as 127.0.0.1:9464 or [::1]:9464.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def svg_file(_ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Return the path of an SVG file; the callback of its option.

    Raises:
        BadParameter: the name is that of another kind of picture.
    """
    if value is not None and value.suffix.lower() not in {"", ".svg"}:
        raise click.BadParameter(f"{value} is to hold SVG: name it {value.stem}.svg.")
    return value


def changed_recipes(
    recipes: "Iterable[NamedRecipe]",
    sources: tuple[str, ...],
    method: Any,
    num_beams: int | None,
    minimum_should_match: str | None,
    fields: tuple[tuple[str, float], ...] | None = None,
    encoder: str | None = None,
) -> "tuple[NamedRecipe, ...]":
    """Return recipes with the parts that options override, each once for each of --sources."""
    from gpt4rec_es.options.source_weights import parse_sources

    try:
        several = [parse_sources(one) for one in sources]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--sources") from None
    found = []
    for named in recipes:
        fusion, decoding = named.recipe.fusion, named.recipe.decoding
        if num_beams is not None:
            most = min(decoding.num_queries, num_beams)
            decoding = dataclasses.replace(decoding, num_queries=most, num_beams=num_beams)
        search = changed_search(named.recipe.search, minimum_should_match or None, fields)
        changes: list[dict[str, Any]] = [{"weights": one} for one in several] or [{}]
        for change in changes:
            if method:
                change["method"] = method
            fused = fusion.changed(**change) if change else fusion
            of_vectors = encoder if fused.uses_vectors else None
            found.append(
                named.changed(decoding=decoding, search=search, fusion=fused, encoder=of_vectors)
            )
    return tuple(found)


def changed_search(
    search: "SearchOptions",
    minimum_should_match: str | None,
    fields: tuple[tuple[str, float], ...] | None,
) -> "SearchOptions":
    """Return ``search`` with what options override; None: unchanged."""
    given: dict[str, Any] = {"minimum_should_match": minimum_should_match, "fields": fields}
    return dataclasses.replace(
        search, **{name: value for name, value in given.items() if value is not None}
    )


class RunsByDefault(click.Group):
    """A group in which a split stands for ``run``, and with ``--table paper`` for ``table``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the command that ``--table`` stands for."""
        is_short = bool(args) and not ctx.resilient_parsing and args[0] not in self.commands
        return super().parse_args(ctx, _with_table(args) if is_short else args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve an unknown name as the argument of ``run``."""
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        return super().resolve_command(ctx, ["run", *args])


def _with_table(args: list[str]) -> list[str]:
    """Return arguments of ``table`` in place of those with ``--table paper`` anywhere.

    Raises:
        BadParameter: another table is wanted.
    """
    for place, one in enumerate(args):
        name, equals, value = one.partition("=")
        if name == "--table":
            end = place + 1 if equals else place + 2
            if (value if equals else "".join(args[place + 1 : end])) != "paper":
                raise click.BadParameter("the only table is `--table paper`.")
            return ["table", *args[:place], *args[end:]]
    return args
