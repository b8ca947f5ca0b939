"""Frozen records that stages exchange; terms as in docs/architecture.md ("Words").

Every layer may import this module; it imports only the standard library and types of annotations.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from math import exp
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Interval

from gpt4rec_es.errors import UsageError


class Outcome(StrEnum):
    """Outcome of one user in one run; every cohort user gets exactly one."""

    OK = "ok"  # at least one recommendation from a source of the run, such as generated queries
    NO_HISTORY = "no_history"  # no purchase: popular items, flagged
    NO_TITLES = "no_titles"  # purchases, but none with a usable title: popular items, flagged
    EMPTY_QUERY = "empty_query"  # no query had a token left, or filters took it: fallbacks, flagged
    NO_HITS = "no_hits"  # the queries found no item that may be recommended: fallbacks, flagged
    HELD_BACK = "held_back"  # by a holdback: popular items, or no list
    FAILED = "failed"  # a repeated error; no rows


class Source(StrEnum):
    """The source of an item in a list, in the order in which sources are used.

    Pinned items come first; the last two are fallbacks. Of fused sources it is the one with the
    largest part in the score.
    """

    PINNED = "pinned"  # put at the beginning of the list by a rule of an operator
    QUERIES = "queries"  # a generated query; unless fused, within its quota of K/m
    CO_PURCHASE = "co_purchase"  # bought by the buyers of an item that the user bought
    HISTORY_TITLES = "history_titles"  # found by the title of an item that the user bought
    SEQUENCE = "sequence"  # best items of the catalog by the vector of the user's purchases
    QUERY_VECTORS = "query_vectors"  # its title is near a generated query, by an encoder's vectors
    TITLE_VECTORS = "title_vectors"  # its title is near that of an item that the user bought
    BACKFILL = "backfill"  # a deeper hit of a generated query, after others ended
    LAST_TITLE = "last_title"  # fallback: the newest bought title as the query
    POPULAR = "popular"  # fallback: bought by the most users


@dataclass(frozen=True, slots=True)
class Bm25:
    """BM25 parameters, always together: ``k1`` >= 0 (saturation), 0 <= ``b`` <= 1 (length)."""

    k1: float = 1.2
    b: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that Elasticsearch refuses."""
        if not 0 <= self.k1 < 1000:  # NaN is refused too
            raise UsageError(f"k1 is {self.k1}.", "It must be a number >= 0; usual are 0.3 to 2.")
        if not 0 <= self.b <= 1:
            raise UsageError(f"b is {self.b}.", "It must lie between 0 and 1.")


@dataclass(frozen=True, slots=True)
class Document:
    """An item to be indexed; price in the catalog's currency, vector in float32 (None: none)."""

    item_no: int
    item_id: str
    title: str
    brand: str | None
    category: str | None
    price: Decimal | None
    is_active: bool
    vector: bytes | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding settings; equal settings, generator and prompt give equal queries.

    num_queries: m of the paper. num_beams: number of beams, >= num_queries. max_new_tokens includes
    the end token. length_penalty: exponent of the length that divides the summed log-probability
    (1.0 = mean). query_dedup_jaccard: a query is dropped if its token Jaccard similarity with a
    better one reaches this. dtype: "fp32", "fp16" or "bf16". prior_weight: part of the
    log-probability without the user's titles that is subtracted before the division; the higher,
    the more personal are the queries. mode: "free" writes any text; "titles" chooses among the
    catalog's titles, whose probabilities add up to 1, so that there is no reason to divide by a
    length.
    """

    num_queries: Annotated[int, Interval(ge=1, le=200)] = 10
    num_beams: Annotated[int, Interval(ge=1, le=200)] = 20
    max_new_tokens: Annotated[int, Interval(ge=2, le=512)] = 48
    length_penalty: Annotated[float, Interval(ge=-10, le=10)] = 1.0
    early_stopping: bool = False
    query_dedup_jaccard: Annotated[float, Interval(gt=0, le=1)] = 0.8
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"
    prior_weight: Annotated[float, Interval(ge=0, le=2)] = 0.0
    mode: Literal["free", "titles"] = "free"

    def __post_init__(self) -> None:
        """Refuse invalid settings."""
        if self.num_queries < 1:
            raise UsageError(f"num_queries is {self.num_queries}.", "Ask for at least 1 query.")
        if self.num_beams < self.num_queries:
            raise UsageError(
                f"num_beams is {self.num_beams}: must be at least num_queries "
                f"({self.num_queries}).",
                "Beam search returns at most one query per beam: raise num_beams.",
            )
        if self.max_new_tokens < 2:
            raise UsageError("max_new_tokens is below 2.", "A query has a token and an end token.")
        if self.dtype not in {"fp32", "fp16", "bf16"}:
            raise UsageError(f"dtype is {self.dtype!r}.", "Choose fp32, fp16 or bf16.")
        if not 0 <= self.prior_weight <= 2:
            raise UsageError(
                f"prior_weight is {self.prior_weight}.", "It must lie between 0 and 2."
            )
        if self.mode not in {"free", "titles"}:
            raise UsageError(f"mode is {self.mode!r}.", "Choose free or titles.")
        if self.mode == "titles" and self.length_penalty:
            raise UsageError(
                f"length_penalty is {self.length_penalty}, but titles are chosen, not spelled.",
                "Set it to 0.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, in field order, for manifests and hashes.

        Without a prior_weight of 0 and the mode "free", so that generations from before these
        settings keep their key.
        """
        values = asdict(self)
        if not self.prior_weight:
            del values["prior_weight"]
        if self.mode == "free":
            del values["mode"]
        return values


@dataclass(frozen=True, slots=True)
class PromptForm:
    """Form of prompts; a checkpoint is trained with one form and stores it.

    titles: maximum number of newest titles in a prompt; the paper truncates histories to 15 items.
    newest_first: reverse the paper's order.
    """

    titles: int = 15
    newest_first: bool = False

    def __post_init__(self) -> None:
        """Refuse prompts without titles."""
        if self.titles < 1:
            raise UsageError(f"{self.titles} titles make no prompt.", "Take at least 1.")

    def as_dict(self) -> dict[str, Any]:
        """Return the form as plain values, for manifests, cards and checkpoints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Input of a generator for one user.

    used: number of newest titles in ``text`` (older ones did not fit). n_tokens: length of ``text``
    in tokens of the generator (words for a generator without tokenizer).
    """

    text: str
    used: int
    n_tokens: int


class CatalogTitles(NamedTuple):
    """Distinct display titles of a catalog in byte order; ``content_hash``: of all of them."""

    texts: tuple[str, ...]
    content_hash: str


@dataclass(frozen=True, slots=True)
class GeneratedQuery:
    """One query of a generation; its rank is its 1-based place in the generation.

    sum_logprob: natural-log probability of its tokens incl. the end token; n_tokens: their number.
    prior_logprob: the same after a prompt without titles; None: ``prior_weight`` 0, or no model.
    """

    text: str
    sum_logprob: float
    n_tokens: int
    prior_logprob: float | None = None

    @property
    def beam_score(self) -> float:
        """Mean log-probability per token, which ranks queries unless decoding says otherwise."""
        return self.sum_logprob / max(self.n_tokens, 1)

    @property
    def likelihood(self) -> float:
        """Geometric mean of the probabilities of its tokens, in 0..1: exp(beam score)."""
        return exp(self.beam_score)


@dataclass(frozen=True, slots=True)
class Generation:
    """All queries of one generator for one prompt, best first; may be empty."""

    queries: tuple[GeneratedQuery, ...]
    tokens_generated: int = 0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits of one search, best first: parallel tuples of item numbers and scores.

    exhausted: there are no further hits. is_empty_query: the text has no token that is known.
    """

    item_nos: tuple[int, ...]
    scores: tuple[float, ...]
    exhausted: bool
    is_empty_query: bool = False


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Items bought by the buyers of one item, best first, with their similarities in 0..1."""

    item_nos: Sequence[int] = ()
    similarities: Sequence[float] = ()


NO_NEIGHBOURS = Neighbours()
