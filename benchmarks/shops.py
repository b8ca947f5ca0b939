"""Synthetic shops, written by SQL so that a million rows take seconds, and a fake generator."""

import datetime as dt
import zlib
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Never

from benchmarks.place import Place
from gpt4rec_es.db.rows import generators
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.records import CatalogTitles, Decoding, GeneratedQuery, Generation, Prompt
from gpt4rec_es.reranking.encoder_registry import open_encoder_of
from gpt4rec_es.reranking.registry import open_registered
from gpt4rec_es.retrieval.msearch import ElasticRetriever

DAY = dt.date(2026, 1, 1)
# Titles have eight words; the hundred most frequent words are a quarter of all.
_WORDS = 5000
_FREQUENT = 100


def fill_items(place: Place, items: int) -> None:
    """Insert ``items`` items with titles of eight words of skewed frequency."""
    place.run(
        """
        INSERT INTO items (item_id, title, title_raw, version)
        SELECT 'i' || lpad(n::text, 7, '0'), t, t, 1 FROM (
            SELECT n, (SELECT string_agg('w' || floor(:words * power(random(), 3)), ' ')
                       FROM generate_series(1, 8) WHERE n > 0) AS t
            FROM generate_series(1, :items) AS n
        ) AS made ORDER BY n
        """,
        words=_WORDS,
        items=items,
    )
    place.run("UPDATE catalog_state SET catalog_version = 1")


def fill_users(place: Place, users: int, purchases: int = 8) -> None:
    """Insert users with ``purchases`` pseudo-random purchases each."""
    place.run(
        "INSERT INTO users (user_id) "
        "SELECT 'u' || lpad(n::text, 8, '0') FROM generate_series(1, :users) AS n",
        users=users,
    )
    buy(place, 1, 1, purchases)
    place.run("ANALYZE")


def buy(place: Place, version: int, every: int, purchases: int = 1) -> None:
    """Add purchases of every ``every``-th user, as an import of history version ``version``."""
    place.run(
        """
        INSERT INTO interactions (user_no, item_no, event_no, ordinal, version)
        SELECT user_no, 1 + abs(hashint8(user_no * 1000::bigint + :version * 100 + place)::bigint)
                            % (SELECT max(item_no) FROM items),
               :version * 1000 + place, 0, :version
        FROM users CROSS JOIN generate_series(1, :purchases) AS place
        WHERE user_no % :every = 0 ON CONFLICT DO NOTHING
        """,
        version=version,
        every=every,
        purchases=purchases,
    )
    place.run("UPDATE catalog_state SET history_version = :version", version=version)


class FakeGenerator:
    """A generator without a model that derives queries from a hash of the prompt.

    Number and length of queries are those of a model. Each has three frequent words, so that lists
    are full. There are 200,000 texts, so users share queries, as with a model.
    """

    content_hash = sha256(b"pretend generator 1").hexdigest()
    _titles = TitlesGenerator()
    prompt_form = _titles.prompt_form

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the newest titles as a prompt."""
        return self._titles.write_prompt(titles)

    def choosing(self, titles: CatalogTitles) -> Never:  # noqa: ARG002 - QueryGenerator
        """Refuse: its queries are numbers."""
        raise UsageError("Fakes choose no titles.")

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return ``num_queries`` queries per prompt, with the token counts of its beams."""
        return [self._one(zlib.crc32(prompt.encode()), decoding) for prompt in prompts]

    def _one(self, seed: int, decoding: Decoding) -> Generation:
        drawn = (seed + 7919 * rank for rank in range(decoding.num_queries))
        texts = dict.fromkeys(
            f"w{n % _FREQUENT} w{n // 100 % _FREQUENT} w{n // 10_000 % 20}" for n in drawn
        )
        queries = tuple(
            GeneratedQuery(text, -float(rank), 8) for rank, text in enumerate(texts, start=1)
        )
        return Generation(queries, decoding.num_beams * 8)


def night_parts(place: Place) -> NightParts:
    """Return parts for nights in ``place``: a real index and searches, a fake generator."""

    def ensure_index(_encoder: str | None) -> int:
        options = ReindexOptions(alias=place.alias)
        return ensure_current(place.engine, place.elastic, options, actor="bench").build_no

    return NightParts(
        engine=place.engine,
        elastic=place.elastic,
        open_generator=lambda *_: FakeGenerator(),
        open_reranker=open_registered,
        open_encoder=partial(open_encoder_of, place.engine),
        open_retriever=lambda index, run_id: ElasticRetriever(place.elastic, index, run_id),
        ensure_index=ensure_index,
        actor="bench",
    )


def use_fake_generator(place: Place) -> None:
    """Register the fake generator and make it the current one."""
    with place.engine.begin() as connection:
        generators.register(
            connection,
            name="pretend",
            kind="titles",
            path=None,
            content_hash=FakeGenerator.content_hash,
            card={},
        )
        generators.use(connection, "pretend", actor="bench")


def options() -> NightOptions:
    """Return the settings' defaults: ten items, ten queries, twenty beams.

    Without a canary, so that each stage, which benchmarks drain once, serves all users.
    """
    return NightOptions(gate_limits=GateLimits(canary_share=0))
