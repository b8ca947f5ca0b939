"""Whether the disks have room for a build, asked before anything of it is made.

A build stands beside the one that is live, and merging writes it once more: room for two.
"""

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.disk import require_room
from gpt4rec_es.index.inspect import bytes_per_document

# Before the first build nothing is known of the size of a document on disk; titles take 200 to 400.
_FIRST_BYTES_PER_DOCUMENT = 600
_TWICE = 2


def require_room_for(
    client: Elasticsearch, documents: int, *, like: str | None, replicas: int
) -> None:
    """Return if ``documents`` can be indexed; like: an index that tells their size, if any.

    Raises:
        DependencyError: there is too little room; nothing was made.
    """
    each = bytes_per_document(client, like) if like else None
    each = each or _FIRST_BYTES_PER_DOCUMENT
    require_room(
        client,
        f"Elasticsearch at {client_url(client)}",
        bytes_needed=round(each * documents * _TWICE),
        copies=replicas + 1,
    )
