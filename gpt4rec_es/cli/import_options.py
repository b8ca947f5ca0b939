"""Options of the imports, from the command line and from a mapping file in TOML."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gpt4rec_es.cli.number_types import FloatRange
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.feeds.fields.flags import FLAGS, flag_key
from gpt4rec_es.feeds.formats import DATE_ORDERS, DECIMALS, QUOTINGS, Formats
from gpt4rec_es.feeds.shapes import SHAPE_NAMES
from gpt4rec_es.feeds.times import is_pattern
from gpt4rec_es.files import require_regular

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
# Tables of a mapping file, and options that a file for all imports of a feed must not fix.
_TABLES = ("columns", "flags")
_NOT_IN_FILE = ("config", "files", "dry_run", "as_json")


def _read_config(context: click.Context, _parameter: click.Parameter, path: str | None) -> None:
    """Make the file's values the defaults of the command's options."""
    if path is None:
        return
    try:
        require_regular(Path(path))
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.BadParameter(f"{path} cannot be read: {reason}.") from error
    if (kind := found.pop("kind", context.info_name)) != context.info_name:
        raise click.BadParameter(f"{path} is for {kind}: use `gpt4rec import {kind}`.")
    known = {one.name or "" for one in context.command.params} - {*_NOT_IN_FILE}
    names = {"format": "shape", "flag": "flags", "attribute": "attributes"}
    defaults = {}
    for key, value in found.items():
        name = names.get(key, key)
        if name not in known or isinstance(value, dict) != (name in _TABLES):
            listed = ", ".join(sorted((known | {"format"}) - {"shape"}))
            raise click.BadParameter(
                f"{path}: {key!r} is not {'a table' if key in known else 'known'}; "
                f"there are {listed} ([columns] and [flags] are tables)."
            )
        defaults[name] = _as_pairs(value) if isinstance(value, dict) else value
    context.default_map = defaults


def _as_pairs(table: dict[str, object]) -> list[str]:
    words = {True: "yes", False: "no"}
    return [
        f"{key}={words[value] if isinstance(value, bool) else value}"
        for key, value in table.items()
    ]


def _pairs(
    context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str]:
    """Return FIELD=COLUMN pairs as a dict; those of the command line replace those of the file."""
    given = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(given) < len(pairs):
        raise click.BadParameter(f"write {parameter.make_metavar(context)}, each once.")
    from_file = (context.default_map or {}).get(parameter.name or "", ())
    return {**dict(pair.split("=", 1) for pair in from_file), **given}


def _flags(
    context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, bool]:
    words = {}
    for word, meaning in _pairs(context, parameter, pairs).items():
        known = FLAGS.get(flag_key(meaning))
        if known is None:
            raise click.BadParameter(f"{word} must be yes or no, not {meaning!r}.")
        words[flag_key(word)] = known
    return words


def _size(
    _context: click.Context, _parameter: click.Parameter, value: str | int | None
) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+)\s*([KMGT]?)(?:i?B)?\s*", str(value), re.IGNORECASE)
    if found is None or int(found[1]) == 0:
        raise click.BadParameter(f"{value!r} is no size such as 500M or 20G.")
    return int(found[1]) * _UNITS[found[2].upper()]


def time_format(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the value of ``--time-format`` if it is one; its callback."""
    if value not in ("auto", *DATE_ORDERS) and not is_pattern(value):
        raise click.BadParameter(
            f"{value!r} is neither {', '.join(DATE_ORDERS)} nor a pattern such as %d.%m.%y %H:%M."
        )
    return value


def common_options(fields: tuple[str, ...], *, shapes: bool = True) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of all imports."""
    format_option = click.option(
        "--format",
        "shape",
        type=click.Choice(["auto", *SHAPE_NAMES]),
        default="auto",
        show_default=True,
        help="Layout of the file; auto detects it from the first records.",
    )
    options = [
        click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True)),
        click.option(
            "--config",
            type=click.Path(),
            is_eager=True,
            expose_value=False,
            callback=_read_config,
            help="Mapping file in TOML with these options; those of the command line override it.",
        ),
        *([format_option] if shapes else []),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="FIELD=COLUMN",
            callback=_pairs,
            help="Read FIELD from COLUMN, or not at all if COLUMN is empty; repeatable. "
            f"Fields: {', '.join(fields)}.",
        ),
        click.option(
            "--no-value",
            multiple=True,
            metavar="TEXT",
            help="Text that means no value, besides NULL, NA, N/A, - and the like; repeatable.",
        ),
        click.option(
            "--quoting",
            type=click.Choice(QUOTINGS),
            default="auto",
            show_default=True,
            help="Quotes of CSV: doubled inside quoted fields, escaped by a backslash, or none.",
        ),
        click.option(
            "--quoted-lines",
            type=click.IntRange(1, 1000),
            help="Lines that a quoted field of CSV may span. "
            "[default: 64, unless they look like records]",
        ),
        click.option(
            "--max-size",
            callback=_size,
            metavar="SIZE",
            help="Largest size of a file after unpacking, such as 500M. "
            "[default: 32G and at most 100 times the packed size]",
        ),
        click.option(
            "--max-rejects",
            type=FloatRange(0, 1),
            default=0.01,
            show_default=True,
            help="Fraction of bad records above which the import is refused.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Check and count the records without changing anything."
        ),
        json_option,
    ]
    return _adder(options)


def value_options(command: Command) -> Command:
    """Add the options of items and interactions about their values."""
    return _adder(
        [
            click.option(
                "--decimal",
                type=click.Choice(DECIMALS),
                default="auto",
                show_default=True,
                help="Decimal mark: point (1,299.00) or comma (1.299,00); auto takes what the file "
                "proves, and refuses a file that leaves it open.",
            ),
            click.option(
                "--skip-items",
                multiple=True,
                metavar="PATTERN",
                help="Leave out items with this id, or ids such as POST*; repeatable.",
            ),
        ]
    )(command)


flag_option = click.option(
    "--flag",
    "flags",
    multiple=True,
    metavar="WORD=yes|no",
    callback=_flags,
    help="Word for active or inactive items, such as retired=no; repeatable.",
)


def formats_of(options: dict[str, Any]) -> Formats:
    """Move the options about values from ``options`` into the value that imports take."""
    names = set(Formats.__slots__) & options.keys()
    return Formats(**{name: options.pop(name) for name in names})


def _adder(options: list[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
