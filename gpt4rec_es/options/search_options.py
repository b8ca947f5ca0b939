"""Frozen options of searches beside their text, index and depth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.minimum_should_match import canonical_requirements

# Fields that a search may look at beside the title, in their order.
FIELDS = ("brand", "category", "description")
LARGEST_WEIGHT = 100


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Search parameters beside index and depth; by default one matching term of a title is enough.

    minimum_should_match: Elasticsearch's parameter of that name, the number or percentage of a
    query's terms that a title, or all searched fields together, must contain; None, like "1": one
    term is enough. fields: (field, weight > 0) of fields searched beside the title, whose weight is
    1, in the order of ``FIELDS``; scores are sums of weight times BM25. encoder: content hash of
    the encoder whose vectors of titles are compared; None: terms are, by BM25.
    """

    minimum_should_match: str | None = None
    fields: tuple[tuple[str, float], ...] = ()
    encoder: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Elasticsearch refuses; normalise equal spellings."""
        object.__setattr__(self, "fields", _checked_fields(self.fields))
        if self.minimum_should_match is not None:
            try:
                canonical = canonical_requirements(self.minimum_should_match)
            except ValueError as error:
                raise UsageError(
                    f"minimum_should_match is {self.minimum_should_match!r}.", f"It {error}."
                ) from None
            asked = None if canonical in {"0", "1", "0%"} else canonical
            object.__setattr__(self, "minimum_should_match", asked)
        if self.encoder is not None and (self.fields or self.minimum_should_match is not None):
            raise UsageError(
                "minimum_should_match and fields are for words, but vectors have no terms.",
                "Leave them out for searches by an encoder.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return those that are set as plain values, for manifests and hashes."""
        values = {**asdict(self), "fields": dict(self.fields) or None}
        return {name: value for name, value in values.items() if value is not None}

    def as_document(self) -> dict[str, Any]:
        """Return the section of a recipe; what came after the first entry only if it is set."""
        values = {"minimum_should_match": self.minimum_should_match, **self.as_dict()}
        values.pop("encoder", None)  # which a recipe names elsewhere
        return values

    @property
    def shown(self) -> str:
        """Those that are set as one text for people, after a comma; empty: none."""
        minimum = self.minimum_should_match
        parts = [] if minimum is None else [f"minimum_should_match {minimum}"]
        if self.fields:
            weights = " + ".join(f"{weight:g} {name}" for name, weight in self.fields)
            parts.append(f"score = title + {weights}")
        return "".join(f", {part}" for part in parts)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "SearchOptions":
        """Return the options in ``values``; None, as in older manifests: none."""
        given = dict(values or {})
        return cls(**{**given, "fields": tuple(dict(given.get("fields", ())).items())})


_FIELDS_FORM = "must be fields with weights, as brand:0.3,category:0.1"


def parse_fields(text: str) -> tuple[tuple[str, float], ...]:
    """Return ``text``, as in "brand:0.3,category", as (field, weight); no weight is 1.

    Raises:
        ValueError: it is no such text.
    """
    pairs = []
    for part in text.split(",") if text.strip() else ():
        name, _, weight = part.strip().partition(":")
        try:
            pairs.append((name.strip(), float(weight) if weight.strip() else 1.0))
        except ValueError:
            raise ValueError(_FIELDS_FORM) from None
        if not name.strip():
            raise ValueError(_FIELDS_FORM)
    if len(dict(pairs)) < len(pairs):
        raise ValueError("must name each field only once")
    return tuple(pairs)


def _checked_fields(fields: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """Return those with a weight in their usual order, so that equal searches are equal."""
    weights = {name: float(weight) for name, weight in fields}
    if unknown := [name for name in weights if name not in FIELDS]:
        raise UsageError(
            f"{unknown[0]!r} is no field to search beside the title.",
            f"Choose of {', '.join(FIELDS)}; the title's weight is always 1.",
        )
    if any(not 0 <= weight <= LARGEST_WEIGHT for weight in weights.values()):
        raise UsageError(
            "The weight of a field is wrong.",
            f"Weights are 0 to {LARGEST_WEIGHT}, relative to the title's weight of 1.",
        )
    return tuple((name, weights[name]) for name in FIELDS if weights.get(name))


ANY_TERM = SearchOptions()
