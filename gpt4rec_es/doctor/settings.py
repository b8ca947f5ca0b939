"""Checks of valid settings that are risky by themselves or for the existing data.

Besides the composition root, this is the only module that receives all settings.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.health import newest_paces
from gpt4rec_es.db.rows.history import count_users
from gpt4rec_es.db.rows.items import count_findable
from gpt4rec_es.doctor.cluster import is_loopback
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.recipes.live import live_recipe
from gpt4rec_es.settings import Settings

_SHORT_LEASE_S = 15
_LONGEST_NIGHT_H = 6
# Work that is lost when a worker dies in the middle of a shard.
_LONGEST_SHARD_S = 900
# Users are embedded and merged in shards of one size.
_STAGES = {"generate": "GENERATE", "embed": "MERGE", "search": "SEARCH", "merge": "MERGE"}


def check_values(settings: Settings) -> Iterator[Finding]:
    """Report settings that are risky for any data."""
    found = [*_check_night_settings(settings), *_check_security_settings(settings)]
    yield from found
    if not found:
        yield ok("no risky setting")


def _check_night_settings(settings: Settings) -> Iterator[Finding]:
    night = settings.night
    if night.depth is not None and night.depth < night.k:
        yield warning(
            f"GPT4REC_DEPTH is {night.depth}, less than {night.k} items per user: most "
            "queries have to be searched again, deeper.",
            "Leave it out: then it is k + 40.",
        )
    if night.lease_seconds < _SHORT_LEASE_S:
        yield warning(
            f"GPT4REC_LEASE_SECONDS is {night.lease_seconds:g}: a worker that a busy machine "
            "holds up for so long loses its shard, and its work is done again.",
            "Set 30 or more; 60 is the default.",
        )
    if settings.redrive_seconds > night.lease_seconds:
        yield warning(
            "GPT4REC_REDRIVE_SECONDS is longer than a lease: work of a dead worker waits for it.",
            "Set it to a quarter of GPT4REC_LEASE_SECONDS.",
        )
    if settings.max_published_age_hours <= 24:
        yield warning(
            f"GPT4REC_MAX_PUBLISHED_AGE_HOURS is {settings.max_published_age_hours:g}: "
            "`runs status` raises an alarm while a night of normal length runs.",
            "Set 24 plus the length of a night; 26 is the default.",
        )


def _check_security_settings(settings: Settings) -> Iterator[Finding]:
    if not settings.elasticsearch_verify_tls:
        yield warning(
            "ELASTICSEARCH_VERIFY_TLS is false: any server is taken for the cluster.",
            "Give the authority's certificate as ELASTICSEARCH_CA_FILE instead.",
        )
    url = urlsplit(settings.elasticsearch_url or "")
    has_secret = settings.elasticsearch_api_key or settings.elasticsearch_password or url.password
    if url.scheme == "http" and has_secret and not is_loopback(url.hostname or ""):
        yield warning(
            "Credentials for Elasticsearch go over the network unencrypted (http).",
            "Use https.",
        )


def check_data_fit(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Report settings that do not fit the number of items and users."""
    with transaction(engine) as connection:
        users, items = count_users(connection), count_findable(connection)
        recipe = live_recipe(connection).recipe
    fits = True
    if settings.night.k > items:
        fits = False
        yield error(
            f"GPT4REC_K is {settings.night.k}, but only {items} items can be recommended.",
            "Import the catalog (`gpt4rec import items`), or lower GPT4REC_K.",
        )
    rate = settings.searches_per_second
    queries = recipe.decoding.num_queries if recipe.writes_queries else 0
    hours = users * queries / rate / 3600 if rate else 0
    if hours > _LONGEST_NIGHT_H:
        fits = False
        yield warning(
            f"At {rate:g} searches a second, a night in which every query is new takes up to "
            f"{hours:,.0f} h.",
            "Raise GPT4REC_SEARCHES_PER_SECOND, or start more retrieval workers.",
        )
    if fits:
        yield ok(f"{users:,} users, {items:,} items to recommend, K {settings.night.k}")


def shards(engine: Engine) -> Iterator[Finding]:
    """Report how long shards of the newest run took, by stage, and which took too long.

    A lease is renewed while a worker processes its shard, so a shard may take longer than a lease.
    """
    with transaction(engine) as connection:
        paces = newest_paces(connection)
    said = []
    for pace in paces:
        # Assumes that every worker was busy from its first finished shard to its last.
        seconds = pace.seconds * pace.owners / (pace.done - 1)
        said.append(f"{pace.stage} {seconds:,.1f} s")
        if seconds > _LONGEST_SHARD_S:
            yield warning(
                f"A {pace.stage} shard takes about {seconds / 60:,.0f} min: a worker that dies "
                "loses as much.",
                f"Lower GPT4REC_{_STAGES[pace.stage]}_SHARD_SIZE.",
            )
    yield ok(f"a shard takes about: {', '.join(said)}" if said else "no run to measure shards by")
