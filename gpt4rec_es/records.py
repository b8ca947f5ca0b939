"""Frozen records that stages hand each other; words as in docs/architecture.md ("Words").

No behaviour beyond what follows from a record's own fields, and no imports beyond the standard
library and checks of single values: every floor may use these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.matching import canonical_requirements


class Outcome(StrEnum):
    """What became of one user in one run; every cohort user gets exactly one."""

    OK = "ok"  # at least one recommendation was found by a source of the run, as generated queries
    NO_HISTORY = "no_history"  # no purchase known: popular items, flagged
    NO_TITLES = "no_titles"  # purchases, but none with a usable title: popular items, flagged
    # Every query had no token left after analysis, or was filtered: fallbacks, flagged.
    EMPTY_QUERY = "empty_query"
    NO_HITS = "no_hits"  # the queries found nothing that may be recommended: fallbacks, flagged
    FAILED = "failed"  # an error that repeated; no rows


class Source(StrEnum):
    """Which part of the merge put an item into a list, in the order in which they are used.

    The last two are fallbacks. Of sources that are fused, it is the one that speaks most for it.
    """

    QUERY = "query"  # a generated query; unless fused, within its share of K/m
    CO_PURCHASE = "co_purchase"  # bought by the buyers of what the user bought
    HISTORY_TITLE = "history_title"  # found by the title of something the user bought
    BACKFILL = "backfill"  # a deeper hit of a generated query, taken because others ran dry
    LAST_TITLE = "last_title"  # fallback: the newest bought title as the query
    POPULAR = "popular"  # fallback: bought by the most users


@dataclass(frozen=True, slots=True)
class Bm25:
    """BM25 parameters, always together: ``k1`` >= 0 (saturation), 0 <= ``b`` <= 1 (length)."""

    k1: float = 1.2
    b: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that Elasticsearch would refuse, before it is asked."""
        if not 0 <= self.k1 < 1000:  # also refuses NaN
            raise UsageError(f"k1 is {self.k1}.", "It must be a number >= 0; usual are 0.3 to 2.")
        if not 0 <= self.b <= 1:
            raise UsageError(f"b is {self.b}.", "It must lie between 0 and 1.")


@dataclass(frozen=True, slots=True)
class Document:
    """One catalog item as it goes into the index. ``price`` in the catalog's own currency."""

    item_no: int
    item_id: str
    title: str
    brand: str | None
    category: str | None
    price: Decimal | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class Decoding:
    """How queries are decoded; equal settings, generator and prompt give equal queries.

    num_queries: m of the paper. num_beams: over-generation, >= num_queries. max_new_tokens counts
    the end token. length_penalty is the exponent of the length by which the summed log-probability
    is divided (1.0 = mean). similarity: a query whose token Jaccard with a better one reaches
    this is dropped. dtype: "fp32" or "fp16".
    """

    num_queries: int = 10
    num_beams: int = 20
    max_new_tokens: int = 48
    length_penalty: float = 1.0
    early_stopping: bool = False
    similarity: float = 0.8
    dtype: str = "fp32"

    def __post_init__(self) -> None:
        """Refuse settings that cannot be decoded."""
        if self.num_queries < 1:
            raise UsageError(f"num_queries is {self.num_queries}.", "Ask for at least 1 query.")
        if self.num_beams < self.num_queries:
            raise UsageError(
                f"num_beams is {self.num_beams}, num_queries {self.num_queries}.",
                "Beam search returns at most one query per beam: raise num_beams.",
            )
        if self.max_new_tokens < 2:
            raise UsageError(
                "max_new_tokens is below 2.", "A query needs a token and an end token."
            )
        if self.dtype not in {"fp32", "fp16"}:
            raise UsageError(f"dtype is {self.dtype!r}.", "Choose fp32 or fp16.")

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, in field order, for manifests and hashes."""
        return asdict(self)


SOURCES = ("queries", "co_purchase", "titles")


@dataclass(frozen=True, slots=True)
class Fusion:
    """Which sources of candidates make a list, and how they are fused.

    weights: (source, weight >= 0) in order; ``queries`` alone is the merge by K/m, nothing fused.
    method: "scores" adds up weighted scores, "ranks" weighted reciprocal ranks. candidates: hits of
    each title that count, and places of each source's ranking; query_hits: hits of each query that
    count by scores. history: newest purchases
    that speak, each older one ``decay`` times less; of queries each later one ``query_decay``
    times less. neighbours: kept per item; pair_history: newest purchases of a user that are
    counted as bought together. rank_constant: added to each rank before its reciprocal.
    """

    weights: tuple[tuple[str, float], ...] = (("queries", 1.0),)
    method: str = "scores"
    candidates: int = 100
    history: int = 20
    decay: float = 0.7
    query_decay: float = 1.0
    neighbours: int = 100
    pair_history: int = 50
    rank_constant: int = 60
    query_hits: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot be fused."""
        names = [name for name, _ in self.weights]
        if len(set(names)) != len(names) or not set(names) <= set(SOURCES):
            raise UsageError(
                f"The sources are {', '.join(names)}.", f"Name each once, of {', '.join(SOURCES)}."
            )
        if not any(weight > 0 for _, weight in self.weights) or any(
            not 0 <= weight < float("inf") for _, weight in self.weights
        ):
            raise UsageError("A source's weight is wrong.", "Weights are >= 0, and one above 0.")
        if self.method not in {"scores", "ranks"}:
            raise UsageError(f"The fusion is {self.method!r}.", "Choose scores or ranks.")
        for decay in (self.decay, self.query_decay):
            if not 0 < decay <= 1:
                raise UsageError(f"A decay is {decay}.", "It must be above 0 and at most 1.")
        counts = (
            self.candidates,
            self.query_hits,
            self.history,
            self.neighbours,
            self.pair_history,
        )
        if min(*counts, self.rank_constant) < 1:
            raise UsageError("A count of the fusion is below 1.", "Counts start at 1.")

    @property
    def is_plain(self) -> bool:
        """Whether generated queries are the only source, so that nothing is fused."""
        return [name for name, _ in self.weights] == ["queries"]

    def uses(self, source: str) -> bool:
        """Return whether ``source`` is one of the sources."""
        return any(name == source for name, _ in self.weights)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for manifests; ``from_dict`` reads them."""
        return {**asdict(self), "weights": [list(pair) for pair in self.weights]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "Fusion":
        """Return the settings in ``values``; None, as in older manifests: queries alone."""
        if values is None:
            return cls()
        weights = tuple((str(name), float(weight)) for name, weight in values["weights"])
        return cls(**{**values, "weights": weights})


@dataclass(frozen=True, slots=True)
class ListRules:
    """Rules of one run about all lists, beside those that block items, brands and categories.

    min_price, max_price: in the catalog's currency, both included; an item of unknown price is
    left out then. categories: only these and what is below them. max_per_brand: items of one
    brand per list. shown_days: what published lists of so many days before showed is left out.
    """

    min_price: float | None = None
    max_price: float | None = None
    categories: tuple[str, ...] = ()
    max_per_brand: int | None = None
    shown_days: int = 0

    def __post_init__(self) -> None:
        """Refuse rules that nothing can keep."""
        prices = [price for price in (self.min_price, self.max_price) if price is not None]
        if any(not 0 <= price < float("inf") for price in prices) or prices != sorted(prices):
            raise UsageError("The limits of the price are wrong.", "Give 0 <= lowest <= highest.")
        if self.max_per_brand is not None and self.max_per_brand < 1:
            raise UsageError(f"{self.max_per_brand} items per brand leave none.", "At least 1.")
        if self.shown_days < 0:
            raise UsageError(f"{self.shown_days} days cannot be.", "0 asks for nothing.")
        if not all(category.strip() for category in self.categories):
            raise UsageError("A category is empty.", "Name it as the catalog does.")

    def as_dict(self) -> dict[str, Any]:
        """Return those that are set as plain values, for manifests."""
        values = {**asdict(self), "categories": list(self.categories)}
        unset = asdict(ListRules()) | {"categories": []}
        return {name: value for name, value in values.items() if value != unset[name]}


@dataclass(frozen=True, slots=True)
class Prompt:
    """Input of a generator for one user.

    ``used`` counts the newest titles that are in ``text`` (older ones did not fit); ``n_tokens`` is
    the length of ``text`` for the generator's tokenizer (for a generator without one: words).
    """

    text: str
    used: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class GeneratedQuery:
    """One query of a generation; the rank is its 1-based place in the generation.

    sum_logprob: natural-log probability of its tokens incl. the end token; n_tokens counts them.
    """

    text: str
    sum_logprob: float
    n_tokens: int

    @property
    def beam_score(self) -> float:
        """Mean log-probability per token, by which queries of one generation are ranked."""
        return self.sum_logprob / max(self.n_tokens, 1)


@dataclass(frozen=True, slots=True)
class Generation:
    """All queries that one generator wrote for one prompt, best first; may be empty."""

    queries: tuple[GeneratedQuery, ...]
    tokens_generated: int = 0


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a text is searched for, beyond index and depth; the default: any term is enough.

    minimum_should_match: how many of a query's terms a title must have, as Elasticsearch's
    parameter of that name; None: any is enough, which is also what "1" says.
    """

    minimum_should_match: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Elasticsearch would refuse; spell what is equal alike."""
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

    def as_dict(self) -> dict[str, Any]:
        """Return those that are set as plain values, for manifests and hashes."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "SearchOptions":
        """Return the options in ``values``; None, as in older manifests: none."""
        return cls(**(values or {}))


ANY_TERM = SearchOptions()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one search found, best first: parallel tuples of item numbers and BM25 scores.

    exhausted: there are no further hits beyond these. is_empty_query: no token of the text was
    left after analysis, so nothing could be found.
    """

    item_nos: tuple[int, ...]
    scores: tuple[float, ...]
    exhausted: bool
    is_empty_query: bool = False


@dataclass(frozen=True, slots=True)
class QueryFilters:
    """What generated queries must pass before they are searched for; the default lets all pass.

    phrases: forbidden ones. catalog_scripts_only: no letters of scripts that titles do not use.
    max_unknown_share: of a query's terms, how many may be in no title; 1 lets all pass.
    """

    phrases: tuple[str, ...] = ()
    catalog_scripts_only: bool = False
    max_unknown_share: float = 1.0

    @property
    def is_on(self) -> bool:
        """Whether there is anything to pass."""
        return bool(self.phrases) or self.catalog_scripts_only or self.max_unknown_share < 1


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Items bought by the buyers of one item, best first, with their cosines in 0..1."""

    item_nos: Sequence[int] = ()
    cosines: Sequence[float] = ()


NO_NEIGHBOURS = Neighbours()


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One row of a user's list. The hit fields are None for ``Source.POPULAR``.

    query_rank: rank of the generated query that found it, None if none did. hit_rank: 1-based place
    among that query's hits (of a title's hits, of the neighbours of a bought item), score its BM25
    score (the cosine). from_item_no: the bought item that it is a neighbour of, or whose title
    found it. fused_score: by which fused lists are ordered; None for fallbacks and unless fused.
    """

    rank: int
    item_no: int
    source: Source
    query_rank: int | None = None
    hit_rank: int | None = None
    score: float | None = None
    from_item_no: int | None = None
    fused_score: float | None = None
