"""Frozen options of lists: fusion of sources, query filters.

A run stores them in its manifest. Each record refuses invalid values when it is created.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Interval

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options import features
from gpt4rec_es.options.pairs import COSINE, DEFAULT_PAIRS, PairCounting
from gpt4rec_es.options.search_options import ANY_TERM, SearchOptions

__all__ = [
    "ANY_TERM",
    "CO_PURCHASE",
    "HISTORY_TITLES",
    "QUERIES",
    "QUERY_VECTORS",
    "SEQUENCE",
    "SOURCES",
    "TITLE_VECTORS",
    "Fusion",
    "QueryFilters",
    "SearchOptions",
]

_Fraction = Annotated[float, Interval(ge=0, le=1)]
_Decay = Annotated[float, Interval(gt=0, le=1)]
_Count = Annotated[int, Interval(ge=1, le=1000)]


# The sources of candidates, by the names that weights and manifests give them.
SOURCES = features.SOURCES
QUERIES, CO_PURCHASE, HISTORY_TITLES, SEQUENCE, QUERY_VECTORS, TITLE_VECTORS = SOURCES


@dataclass(frozen=True, slots=True)
class Fusion:
    """Sources of candidates and their fusion into one list.

    weights: (source, weight >= 0) in order; ``queries`` alone is the merge by K/m, nothing fused.
    method: "scores" adds up weighted scores, "ranks" weighted reciprocal ranks, "learned" the
    features of ``options.features`` times ``coefficients``, (feature, coefficient) in their order;
    then a weight only switches its source on. candidates: hits counted per title, and length of
    each source's ranking. query_hits: hits counted per query by scores. history: newest purchases
    used; each older one counts ``history_decay`` times less, each lower-ranked query
    ``query_decay`` times less. neighbours: kept per item. pair_history: newest purchases per user
    counted in pairs. pairs: weights of pairs. rank_constant: added to ranks before reciprocals.
    """

    weights: tuple[tuple[str, float], ...] = ((QUERIES, 1.0),)
    method: Literal["scores", "ranks", "learned"] = "scores"
    candidates: _Count = 100
    history: _Count = 20
    history_decay: _Decay = 0.7
    query_decay: _Decay = 1.0
    neighbours: _Count = 100
    pair_history: Annotated[int, Interval(ge=2, le=1000)] = 200
    rank_constant: Annotated[int, Interval(ge=1, le=10_000)] = 60
    query_hits: _Count = 3
    pairs: PairCounting = DEFAULT_PAIRS
    coefficients: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse weights and counts that cannot be fused."""
        names = [name for name, _ in self.weights]
        if len(set(names)) != len(names) or not set(names) <= set(SOURCES):
            all_of = ", ".join(SOURCES)
            raise UsageError(
                f"The sources are {', '.join(names)}.", f"Name each once, of {all_of}."
            )
        if not any(weight > 0 for _, weight in self.weights) or any(
            not 0 <= weight <= features.LARGEST for _, weight in self.weights
        ):
            raise UsageError(
                "A source's weight is wrong.",
                f"Weights are 0 to {features.LARGEST}, and one above 0.",
            )
        if self.method not in {"scores", "ranks", "learned"}:
            raise UsageError(f"The fusion is {self.method!r}.", "Choose scores, ranks or learned.")
        if (self.method == "learned") != bool(self.coefficients):
            raise UsageError(
                f"The fusion {self.method!r} has {len(self.coefficients)} coefficients.",
                "A learned fusion has one or more, the others have none.",
            )
        if self.method != "learned" and self.uses(SEQUENCE):
            way_out = "`gpt4rec tune lists SPLIT --reranker NAME` makes one."
            raise UsageError(f"The source {SEQUENCE} needs a learned fusion.", way_out)
        features.check_coefficients(
            self.coefficients, [name for name, weight in self.weights if weight > 0]
        )
        # Sums are in this order, whatever the order in a document.
        order = features.coefficient_names().index
        known = tuple(sorted(self.coefficients, key=lambda pair: order(pair[0])))
        object.__setattr__(self, "coefficients", known)
        for decay in (self.history_decay, self.query_decay):
            if not 0 < decay <= 1:
                raise UsageError(f"A decay is {decay}.", "It must be above 0 and at most 1.")
        lengths = (self.candidates, self.query_hits, self.history)
        if min(*lengths, self.neighbours, self.pair_history, self.rank_constant) < 1:
            raise UsageError("A count of the fusion is below 1.", "Counts start at 1.")

    @property
    def needs_co_purchases(self) -> bool:
        """Whether neighbours or numbers of buyers are needed."""
        return self.uses(CO_PURCHASE) or self.method == "learned"

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of a fused score: sources; if learned, popularity and re-ranker."""
        used = tuple(name for name, weight in self.weights if weight > 0)
        more = (features.POPULARITY, *[features.RERANKER] * self.uses_reranker)
        return used + more if self.method == "learned" else used

    @property
    def uses_reranker(self) -> bool:
        """Whether a score of a re-ranker counts, or its best items are a source."""
        return self.uses(SEQUENCE) or features.uses_reranker(self.coefficients)

    @property
    def uses_vectors(self) -> bool:
        """Whether texts are searched by vectors, too, so that an encoder is needed."""
        return any(name in features.OF_VECTORS for name, _ in self.weights)

    @property
    def uses_titles(self) -> bool:
        """Whether titles of purchases are searched."""
        return any(name in features.OF_TITLES for name, _ in self.weights)

    @property
    def is_plain(self) -> bool:
        """Whether generated queries are the only source, so that nothing is fused."""
        return [name for name, _ in self.weights] == [QUERIES] and self.method != "learned"

    @property
    def counting(self) -> dict[str, float]:
        """Parameters of the neighbours, by column of ``co_purchase_sets``."""
        pairs = {f"pair_{name}": value for name, value in asdict(self.pairs).items()}
        return {"neighbours": self.neighbours, "pair_history": self.pair_history, **pairs}

    def uses(self, source: str) -> bool:
        """Return whether ``source`` is one of the sources."""
        return any(name == source for name, _ in self.weights)

    def changed(self, **entries: Any) -> "Fusion":
        """Return it with other entries; weights given to a learned fusion make it one by scores."""
        method = entries.get("method", self.method)
        if method == "learned" and "weights" in entries and "method" not in entries:
            method = "scores"
        if method != "learned":
            entries["coefficients"] = ()
        return replace(self, **(entries | {"method": method}))

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for manifests; ``from_dict`` reads them."""
        values = {**asdict(self), "weights": [list(pair) for pair in self.weights]}
        if not self.coefficients:  # as manifests had it before there were any
            return {name: it for name, it in values.items() if name != "coefficients"}
        return {**values, "coefficients": dict(self.coefficients)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "Fusion":
        """Return the settings in ``values``; None, as in older manifests: queries alone."""
        if values is None:
            return cls()
        weights = tuple((str(name), float(weight)) for name, weight in values["weights"])
        # Manifests without pairs are of runs that used the cosine.
        pairs = PairCounting(**values["pairs"]) if "pairs" in values else COSINE
        given = dict(values.get("coefficients", ()))
        learned = tuple((str(name), float(value)) for name, value in given.items())
        return cls(**{**values, "weights": weights, "pairs": pairs, "coefficients": learned})


@dataclass(frozen=True, slots=True)
class QueryFilters:
    """Filters of generated queries before search; by default only repetition is refused.

    refuse_repetition: refuse queries that repeat themselves. phrases: forbidden phrases.
    catalog_scripts_only: refuse letters of scripts that titles do not use. max_unknown_fraction:
    fraction of a query's terms that may occur in no title; 1: no limit.
    """

    refuse_repetition: bool = True
    phrases: tuple[str, ...] = ()
    catalog_scripts_only: bool = False
    max_unknown_fraction: _Fraction = 1.0

    @property
    def is_on(self) -> bool:
        """Whether any filter is set."""
        return (
            self.refuse_repetition
            or bool(self.phrases)
            or self.catalog_scripts_only
            or self.max_unknown_fraction < 1
        )
