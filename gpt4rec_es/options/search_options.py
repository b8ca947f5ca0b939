"""Frozen options of searches beside their text, index and depth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.minimum_should_match import canonical_requirements


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Search parameters beside index and depth; by default one matching term is enough.

    minimum_should_match: Elasticsearch's parameter of that name, the number or percentage of a
    query's terms that a title must contain; None, like "1": one term is enough. encoder: content
    hash of the encoder whose vectors are compared; None: terms are, by BM25.
    """

    minimum_should_match: str | None = None
    encoder: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Elasticsearch refuses; normalise equal spellings."""
        if self.minimum_should_match is None:
            return
        try:
            canonical = canonical_requirements(self.minimum_should_match)
        except ValueError as error:
            raise UsageError(
                f"minimum_should_match is {self.minimum_should_match!r}.", f"It {error}."
            ) from None
        asked = None if canonical in {"0", "1", "0%"} else canonical
        object.__setattr__(self, "minimum_should_match", asked)
        if self.encoder is not None and asked is not None:
            raise UsageError(
                f"minimum_should_match is {asked!r}, but vectors have no terms.",
                "Leave it out for searches by an encoder.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return those that are set as plain values, for manifests and hashes."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def as_document(self) -> dict[str, Any]:
        """Return the section of a recipe, which names an encoder elsewhere."""
        return {"minimum_should_match": self.minimum_should_match}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "SearchOptions":
        """Return the options in ``values``; None, as in older manifests: none."""
        return cls(**(values or {}))


ANY_TERM = SearchOptions()
