"""Shapes of files: how each names its fields, and how a file's shape is detected.

A shape maps fields to columns; converters interpret the fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.fields.numbers import DecimalMark
from gpt4rec_es.feeds.fields.structured import ObjectColumn

Kind = Literal["items", "interactions", "users"]

# Our field names, in the order in which converters receive them.
ITEM_FIELDS = ("item_id", "title", "brand", "category", "price", "active", "description")
INTERACTION_FIELDS = (
    "user_id",
    "item_id",
    "timestamp",
    "ordinal",
    "rating",
    "quantity",
    "event",
)
USER_FIELDS = ("user_id",)
FIELDS: dict[Kind, tuple[str, ...]] = {
    "items": ITEM_FIELDS,
    "interactions": INTERACTION_FIELDS,
    "users": USER_FIELDS,
}
# Fields of interactions only; a file with one of them is not a catalog.
_USER_FIELDS = ("user_id", "reviewerID")


@dataclass(frozen=True, slots=True)
class Shape:
    """One naming of fields.

    sources: our name -> names in the file, in order of preference. required: our names that must be
    found. marks: names of which one must be present, if the required ones do not distinguish two
    shapes. loose_prices: an invalid price means "unknown", as this source has many of them.
    decimal: how this source writes numbers; None: it depends on the file.
    """

    name: str
    sources: Mapping[str, Sequence[str]]
    required: tuple[str, ...]
    marks: tuple[str, ...] = ()
    time_unit: str = "auto"
    loose_prices: bool = False
    decimal: DecimalMark | None = None

    def fits(self, fields: Sequence[str]) -> bool:
        """Return whether a file with these fields has this shape."""
        found = all(any(name in fields for name in self.sources[one]) for one in self.required)
        return found and (not self.marks or any(name in fields for name in self.marks))


_ID_COLUMNS = ("user_id", "item_id")
_OWN_ITEM = {name: (name,) for name in ITEM_FIELDS} | {"active": ("active", "is_active")}
_OWN_EVENT = {name: (name,) for name in INTERACTION_FIELDS} | {"event": ("event", "event_type")}

_AMAZON_ITEM = {
    "item_id": ("asin",),
    **{name: (name,) for name in ("title", "brand", "price", "description")},
}
_AMAZON_REVIEW = {
    "user_id": ("reviewerID",),
    "item_id": ("asin",),
    "timestamp": ("unixReviewTime",),
    "rating": ("overall",),
}

SHAPES: dict[Kind, tuple[Shape, ...]] = {
    "items": (
        Shape("own", _OWN_ITEM, ("item_id",), ITEM_FIELDS[1:]),
        Shape(
            "amazon2023",
            {
                "item_id": ("parent_asin",),
                "title": ("title",),
                "brand": ("store", ObjectColumn("details")),
                "category": ("categories", "main_category"),
                "price": ("price",),
                "description": ("description",),
            },
            ("item_id",),
            ("title", "store", "details", "categories", "main_category"),
            loose_prices=True,
            decimal="point",
        ),
        Shape(
            "amazon2018",
            {**_AMAZON_ITEM, "category": ("category", "main_cat")},
            ("item_id",),
            ("category", "main_cat", "also_buy", "also_view", "feature", "rank", "tech1"),
            loose_prices=True,
            decimal="point",
        ),
        Shape(
            "amazon2014",
            {**_AMAZON_ITEM, "category": ("categories",)},
            ("item_id",),
            ("categories", "salesRank", "imUrl", "related"),
            loose_prices=True,
            decimal="point",
        ),
    ),
    "interactions": (
        Shape("own", _OWN_EVENT, _ID_COLUMNS),
        Shape(
            "amazon2023",
            {
                "user_id": ("user_id",),
                "item_id": ("parent_asin", "asin"),
                "timestamp": ("timestamp",),
                "rating": ("rating",),
            },
            _ID_COLUMNS,
            time_unit="ms",
        ),
        Shape(
            "amazon2018",
            _AMAZON_REVIEW,
            _ID_COLUMNS,
            ("verified", "vote", "style", "image"),
            time_unit="s",
        ),
        Shape("amazon2014", _AMAZON_REVIEW, _ID_COLUMNS, time_unit="s"),
    ),
    "users": (Shape("own", {"user_id": ("user_id",)}, ("user_id",)),),
}
SHAPE_NAMES = ("own", "amazon2014", "amazon2018", "amazon2023")


def find_shape(
    path: str,
    kind: Kind,
    fields: Sequence[str],
    wanted: str,
    columns: Mapping[str, str],
    attributes: Sequence[str] = (),
) -> Shape:
    """Return the shape of a file with these ``fields``, overridden by the user's ``columns``.

    ``wanted`` is "auto" or a shape's name; ``columns`` maps our names to the file's, to "" a field
    that is not read; ``attributes`` are further columns that are read. Names that differ in case
    only are equal if the file has just one of them.

    Raises:
        UsageError: no shape matches, a mapped column is missing, a column that is read occurs
            twice, or the file is of the other kind.
    """
    _check_columns(path, kind, fields, columns, attributes)
    if kind == "items" and "item_id" not in columns:
        foreign = next((name for name in _USER_FIELDS if name in fields), None)
        if foreign is not None:
            raise UsageError(
                f"{path} has the field {foreign}: it holds interactions, not items.",
                "Use `gpt4rec import interactions`; or name the item's column by --column.",
            )
    shapes = [one for one in SHAPES[kind] if wanted in {"auto", one.name}]
    for shape in shapes:
        mapped = _with_user_columns(shape, columns, wanted != "auto", fields)
        if mapped.fits(fields):
            further = {name: (name,) for name in attributes}
            mapped = replace(mapped, sources={**mapped.sources, **further})
            _check_names(path, mapped, fields)
            return mapped
    known = "; ".join(f"{one.name}: {_needs(one)}" for one in shapes)
    raise UsageError(
        f"{path} has the fields {_listed(fields)}, which fits no shape of {kind} ({known}).",
        f"Map columns, as in --column {FIELDS[kind][0]}=NAME.",
    )


def _check_columns(
    path: str,
    kind: Kind,
    fields: Sequence[str],
    columns: Mapping[str, str],
    attributes: Sequence[str],
) -> None:
    for ours in columns:
        if ours not in FIELDS[kind]:
            raise UsageError(
                f"{ours} is no field of {kind}.", f"There are {', '.join(FIELDS[kind])}."
            )
    for theirs in (*columns.values(), *attributes):
        if theirs and theirs not in fields:
            raise UsageError(
                f"{path} has no column {theirs}.", f"It has {_listed(fields)}; see --column."
            )


def _check_names(path: str, shape: Shape, fields: Sequence[str]) -> None:
    for field, names in shape.sources.items():
        twice = next((name for name in names if fields.count(name) > 1), None)
        if twice is not None:
            raise UsageError(
                f"{path} has {fields.count(twice)} columns named {twice}.",
                f"Rename all but one, or leave the field out by --column {field}=.",
            )


def _with_user_columns(
    shape: Shape, columns: Mapping[str, str], is_chosen: bool, fields: Sequence[str]
) -> Shape:
    """Return the shape with the user's columns; a shape that the user chose needs no marks."""
    alike: dict[str, set[str]] = {}
    for name in fields:
        alike.setdefault(name.casefold(), set()).add(name)

    def found(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            type(name)(next(iter(alike[name.casefold()])))
            if name not in fields and len(alike.get(name.casefold(), ())) == 1
            else name
            for name in names
        )

    sources = {ours: found(names) for ours, names in shape.sources.items()}
    sources |= {ours: (theirs,) if theirs else () for ours, theirs in columns.items()}
    marks = (
        *found(shape.marks),
        *(theirs for ours, theirs in columns.items() if ours != "item_id"),
    )
    return replace(shape, sources=sources, marks=marks if shape.marks and not is_chosen else ())


def _needs(shape: Shape) -> str:
    needed = [" or ".join(shape.sources[one]) for one in shape.required]
    if shape.marks:
        needed.append("one of " + ", ".join(shape.marks))
    return " + ".join(needed)


def _listed(fields: Sequence[str]) -> str:
    names = [name if name.isprintable() else ascii(name) for name in fields[:20]]
    more = f" and {len(fields) - 20} more" if len(fields) > 20 else ""
    return (", ".join(names) or "(none)") + more
