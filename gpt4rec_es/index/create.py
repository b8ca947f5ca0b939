"""Create and verify one index, independent of database and alias.

live.py and reindex.py handle those. A live index is not changed here.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from gpt4rec_es.elastic.queries import VECTOR_FIELD, search_text
from gpt4rec_es.elastic.similarity import (
    FieldBm25,
    same_bm25,
    same_field_bm25,
    similarity_settings,
)
from gpt4rec_es.errors import DataError
from gpt4rec_es.index.inspect import (
    IndexState,
    applied_bm25,
    count,
    count_each,
    describe_index,
    sample_titles,
)
from gpt4rec_es.records import Bm25

# Timeout: merging a large index takes longer than any other request.
_MERGE_TIMEOUT_S = 3600
# Leases are renewed every 30 seconds.
_LEASES_S = 70.0
_AS_INDEXED = "catalog_text"


def create_index(client: Elasticsearch, name: str, body: dict[str, Any]) -> None:
    """Create the index ``name``; its primary shard is ready when this returns."""
    client.indices.create(
        index=name, settings=body["settings"], mappings=body["mappings"], wait_for_active_shards=1
    )


def seal_index(client: Elasticsearch, name: str, *, drops_source: bool = False) -> None:
    """Make all documents searchable, merge them into one segment and block any further write.

    One segment without deleted documents makes scores reproducible; cloning requires a write block.
    drops_source: first wait until the merge may drop what a load keeps of documents for replicas,
    see ``wait_for_leases``.
    """
    client.indices.refresh(index=name)
    if drops_source:
        wait_for_leases(client, name)
    _merge(client, name)
    if _deleted(client, name):
        # A document that was sent twice counts twice in the statistics. Its first copy is kept for
        # replicas that lag behind until their leases are renewed.
        wait_for_leases(client, name)
        _merge(client, name)
        if _deleted(client, name):
            raise DataError(
                f"{name} still counts documents that were sent twice.",
                "Run `gpt4rec reindex` again.",
            )
    client.indices.add_block(index=name, block="write")


def _merge(client: Elasticsearch, name: str) -> None:
    answer = client.options(request_timeout=_MERGE_TIMEOUT_S).indices.forcemerge(
        index=name, max_num_segments=1
    )
    if answer.body["_shards"]["failed"]:
        raise DataError(f"Elasticsearch could not merge {name}.", "See its log; then try again.")
    client.indices.refresh(index=name)


def _deleted(client: Elasticsearch, name: str) -> int:
    """Return the number of deleted documents in all copies of an index."""
    counts = client.indices.stats(index=name, metric="docs").body["_all"]["total"]["docs"]
    return int(counts["deleted"])


def wait_for_leases(client: Elasticsearch, name: str) -> bool:
    """Wait until no copy of the index retains an operation; return False if one still does.

    A merge drops parts of documents that are not in the source, such as numbers of vectors as text
    (three times the size of the vectors), only for operations that no retention lease covers.
    Elasticsearch renews leases every 30 seconds, and no setting makes that faster.
    """
    ends = time.monotonic() + _LEASES_S
    while True:
        shards = client.indices.stats(index=name, level="shards").body["indices"][name]["shards"]
        copies = [copy for shard in shards.values() for copy in shard]
        if all(
            lease["retaining_seq_no"] > copy["seq_no"]["max_seq_no"]
            for copy in copies
            for lease in copy["retention_leases"]["leases"]
        ):
            client.indices.flush(index=name)
            return True
        if time.monotonic() > ends:
            return False
        time.sleep(1)


def clone_index(
    client: Elasticsearch,
    source: str,
    target: str,
    bm25: Bm25,
    analysis: Mapping[str, Any] | None = None,
    fields: FieldBm25 = MappingProxyType({}),
) -> None:
    """Create ``target`` with the documents and replicas of the write-blocked ``source``.

    It has other k1, b, or other analysis settings of searches (None: those of ``source``). fields:
    k1, b of fields beside the title that get others than those of ``source``. Files are
    hard-linked, so this takes a fraction of a second for any size.
    """
    # All settings are copied but this one, for which a clone takes the default of new indices.
    replicas = "index.number_of_replicas"
    found = client.indices.get_settings(index=source, name=replicas, flat_settings=True).body
    settings = {**similarity_settings(bm25, fields), replicas: found[source]["settings"][replicas]}
    if analysis is not None:
        settings["analysis"] = analysis
    client.indices.clone(index=source, target=target, settings=settings, wait_for_active_shards=1)


def delete_index(client: Elasticsearch, name: str) -> None:
    """Delete the index ``name`` if it exists."""
    try:
        client.indices.delete(index=name)
    except NotFoundError:
        return


def verify_index(
    client: Elasticsearch,
    name: str,
    *,
    documents: int,
    bm25: Bm25,
    fields: FieldBm25 = MappingProxyType({}),
    samples: Sequence[tuple[str, str]] = (),
) -> IndexState:
    """Verify the index ``name`` and return its state; ``samples`` are (item id, title).

    Checks the number of documents, k1 and b in the settings and in score formulas, and that the
    title of each sample finds its item.

    Raises:
        DataError: a check failed.
    """
    state = describe_index(client, name)
    if state.documents != documents:
        raise DataError(f"{name} holds {state.documents} documents instead of {documents}.")
    if not same_bm25(state.bm25, bm25):
        raise DataError(f"{name} has {_shown(state.bm25)}, not {_shown(bm25)}.")
    if not same_field_bm25(state.field_bm25, fields):
        raise DataError(f"{name} has other k1 and b of fields than were set.")
    titles = list(samples) or sample_titles(client, name)
    check_titles_find_items(client, name, titles)
    used = applied_bm25(client, name, titles)
    if not used or not all(same_bm25(one, bm25) for one in used):
        found = ", ".join(map(_shown, used)) or "none"
        raise DataError(f"Scores in {name} are computed with {found}, not {_shown(bm25)}.")
    return state


def check_vectors(client: Elasticsearch, name: str, number: int) -> None:
    """Check that the index holds vectors of ``number`` titles.

    Raises:
        DataError: it holds another number.
    """
    found = count(client, name, {"exists": {"field": VECTOR_FIELD}})
    if found != number:
        raise DataError(f"{name} holds {found} vectors of titles instead of {number}.")


def check_titles_find_items(
    client: Elasticsearch, name: str, samples: Iterable[tuple[str, str]]
) -> None:
    """Check that each title finds its item; titles without any term are skipped.

    Titles are analyzed by the index analyzer: with the search analyzer a synonym rule may replace
    the only word of a title.

    Raises:
        DataError: a title does not find its item, or no title has a term.
    """
    texts = [(item_id, search_text(title)) for item_id, title in samples]
    queries = [
        {
            "bool": {
                "must": [{"match": {"title": {"query": text, "analyzer": _AS_INDEXED}}}],
                "filter": [{"term": {"item_id": item_id}}],
            }
        }
        for item_id, text in texts
    ]
    found = 0
    for (item_id, text), number in zip(texts, count_each(client, name, queries), strict=True):
        if number == 1:
            found += 1
        elif client.indices.analyze(index=name, analyzer=_AS_INDEXED, text=[text])["tokens"]:
            raise DataError(f"In {name} the title of item {item_id!r} does not find it.")
    if not found:
        raise DataError(f"No title in {name} has a term to search for.", "Check the analyzer.")


def _shown(bm25: Bm25) -> str:
    return f"k1 {bm25.k1:g}, b {bm25.b:g}"
