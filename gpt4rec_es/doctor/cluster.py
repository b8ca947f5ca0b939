"""Checks of Elasticsearch: version, nodes, disks, privileges, and recorded builds."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

import elasticsearch
from elasticsearch import ApiError, Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows import encoders
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.documents import current_catalog_version
from gpt4rec_es.db.rows.pins import load_pins
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.doctor.machine import numbers
from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.disk import node_rooms, readable
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.queries import VECTOR_FIELD
from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.inspect import count
from gpt4rec_es.index.mapping import Analysis, mapping_hash
from gpt4rec_es.reranking.encoder_registry import open_encoder_of
from gpt4rec_es.retrieval.knn import require_vectors_of

_OLDEST = (8, 19)
_LITTLE_HEAP = 2**30
_FULL_HEAP = 85
_WANTED = ["create_index", "manage", "monitor", "read", "view_index_metadata", "write"]
# Response of a cluster without security features to a privilege request.
_NO_SECURITY = frozenset({400, 404, 405, 500})


def server(client: Elasticsearch) -> Iterator[Finding]:
    """Check that the server answers, client compatibility, and the cluster's health."""
    with plain_errors(client):
        version = client.info().body["version"]["number"]
    ours = ".".join(map(str, elasticsearch.__version__))
    if numbers(version) < _OLDEST:
        yield error(
            f"Elasticsearch is {version}; the client {ours} needs 8.19 or newer.",
            "Upgrade the cluster.",
        )
    elif numbers(version)[0] > elasticsearch.__version__[0] + 1:
        yield warning(
            f"Elasticsearch is {version}; the client {ours} supports its own and the next major.",
            "Install a newer version of this program.",
        )
    yield ok(f"Elasticsearch {version} answers, client {ours}")
    with plain_errors(client):
        health = client.cluster.health().body["status"]
    if health == "red":
        yield error("The cluster's health is red: data is missing.", "See `_cluster/health`.")
    elif health == "yellow":
        yield warning(
            "The cluster's health is yellow: copies are missing.",
            "Add a node, or set the replicas of the index to what there are nodes for "
            "(GPT4REC_INDEX_REPLICAS for the next reindex).",
        )


def nodes(client: Elasticsearch) -> Iterator[Finding]:
    """Check the heap size of data nodes, and that their memory is not swapped out."""
    try:
        with plain_errors(client):
            stats = client.nodes.stats(metric="jvm,os").body["nodes"]
            locked = client.nodes.info(metric="process").body["nodes"]
    except (DataError, UsageError) as failure:
        yield warning(f"The nodes cannot be seen: {failure.message}", "Grant cluster: monitor.")
        return
    fine = True
    for key, node in stats.items():
        if not any(role.startswith("data") for role in node["roles"]):
            continue
        name, heap = node["name"], node["jvm"]["mem"]
        if heap["heap_max_in_bytes"] < _LITTLE_HEAP:
            fine = False
            yield warning(
                f"{name} has a heap of {readable(heap['heap_max_in_bytes'])}: enough for trials.",
                "Give it 1 GB or more, at most half of the machine's memory.",
            )
        if heap["heap_used_percent"] > _FULL_HEAP:
            fine = False
            yield warning(
                f"{name} uses {heap['heap_used_percent']} % of its heap.",
                "Give it more, or hold back with GPT4REC_REQUESTS_IN_FLIGHT.",
            )
        swap = node["os"].get("swap", {}).get("total_in_bytes", 0)
        if swap and not locked.get(key, {}).get("process", {}).get("mlockall", False):
            fine = False
            yield warning(
                f"{name} may be swapped out ({readable(swap)} of swap).",
                "Switch swap off, or set bootstrap.memory_lock.",
            )
    if fine:
        yield ok(f"{len(stats)} nodes; heap and memory are fine")


def disk(client: Elasticsearch) -> Iterator[Finding]:
    """Compare the disk use of each data node with the watermarks."""
    with plain_errors(client):
        rooms = {mark: node_rooms(client, mark) for mark in ("low", "high", "flood_stage")}
    if rooms["high"] is None:
        yield warning(
            "The disks cannot be seen: a reindex will not look for room first.",
            "Grant the cluster privilege monitor.",
        )
        return
    over = {
        mark: {room.name for room in found if room.usable == 0}
        for mark, found in rooms.items()
        if found is not None
    }
    for room in rooms["high"]:
        measured = f"{room.name}: {readable(room.free)} of {readable(room.total)} free"
        way_out = "Run `gpt4rec index prune`, or free or add disk space."
        if room.name in over["high"]:
            mark = "flood_stage" if room.name in over["flood_stage"] else "high"
            yield error(f"{measured}, over the {mark} watermark", way_out)
        elif room.name in over["low"]:
            yield warning(f"{measured}, over the low watermark", way_out)
        else:
            yield ok(f"{measured}, {readable(room.usable)} to the high watermark")


def rights(client: Elasticsearch, alias: str) -> Iterator[Finding]:
    """Check that the program has the index privileges it needs."""
    names = [alias, f"{alias}-*"]
    with plain_errors(client):
        try:
            answer = client.security.has_privileges(
                index=[{"names": names, "privileges": _WANTED}], cluster=["monitor"]
            ).body
        except ApiError as failure:
            if failure.status_code not in _NO_SECURITY:
                raise
            answer = None
    if answer is None:
        yield _without_security(client)
        return
    missing = sorted(
        {
            privilege
            for granted in answer["index"].values()
            for privilege, has in granted.items()
            if not has
        }
    )
    if missing:
        yield error(
            f"On {' and '.join(names)} these privileges are missing: {', '.join(missing)}.",
            "Give the key or the user a role with them.",
        )
    else:
        yield ok(f"all that is needed on {' and '.join(names)}")
    if not answer["cluster"].get("monitor"):
        yield warning(
            "The cluster privilege monitor is missing: room on disks cannot be looked for.",
            "Grant it, or watch the disks yourself.",
        )


def _without_security(client: Elasticsearch) -> Finding:
    host = urlsplit(client_url(client)).hostname or ""
    if is_loopback(host):
        return ok("security is off, on this machine alone")
    return warning(
        f"Security is off on {host}: every client that reaches it can read and delete everything.",
        "Switch xpack.security on and give the program an API key.",
    )


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def alias(
    engine: Engine, client: Elasticsearch, name: str, analysis: Analysis
) -> Iterator[Finding]:
    """Check the index behind the alias, and that it has the current catalog and analyzer."""
    build = live.live_build(engine, client, name)
    with transaction(engine) as connection:
        version = current_catalog_version(connection)
    yield ok(
        f"{name} is {build.index_name}: {build.document_count:,} items, k1 {build.bm25.k1:g}, "
        f"b {build.bm25.b:g}, as recorded"
    )
    if build.mapping_hash != mapping_hash(analysis):
        yield warning(
            "The mapping or the analyzer changed since: the next night builds anew first.",
            "Run `gpt4rec reindex` when there is time.",
        )
    elif build.catalog_version != version:
        yield ok(
            f"it is of catalog version {build.catalog_version} of {version}: the next night "
            "reindexes first"
        )
    if build.encoder_no is not None:
        yield from _vectors(engine, client, build)


def _vectors(engine: Engine, client: Elasticsearch, build: Build) -> Iterator[Finding]:
    """Check that the encoder of the live build's vectors is as it was, and has made them."""
    with transaction(engine) as connection:
        row = encoders.load(connection, build.encoder_no or 0)
    try:
        opened = open_encoder_of(engine, row)
        require_vectors_of(client, build.index_name, opened)
    except (ConflictError, DataError, UsageError) as failure:
        yield error(
            f"The index holds vectors of the encoder {row.name}: {failure.message}",
            failure.hint or "See `gpt4rec encoders list`.",
        )
        return
    holding = count(client, build.index_name, {"exists": {"field": VECTOR_FIELD}})
    found = f"{holding:,} of {build.document_count:,} items have a vector by the encoder {row.name}"
    if 2 * holding < (build.document_count or 0):
        yield warning(
            f"{found}: it knows no word of the other titles.",
            "Take an encoder for the language of the titles (`gpt4rec reindex --encoder NAME`).",
        )
        return
    yield ok(f"{found}, of {row.dims} components")


def pinned(engine: Engine, client: Elasticsearch, name: str) -> Iterator[Finding]:
    """Check that the builds pinned by runs or operators still exist."""
    with transaction(engine) as connection:
        pins = load_pins(connection)
        ready = rows.list_builds(connection, name, ["ready"])
    kept = [build for build in ready if build.build_no in pins]
    for build in kept:
        try:
            live.check_build(client, build)
        except (DataError, UsageError) as failure:
            by = ", ".join(pins[build.build_no])
            yield error(
                f"The build {build.index_name}, which {by} need, is not as recorded: "
                f"{failure.message}",
                "Unfinished runs: `gpt4rec night --supersede`. Published lists stay readable.",
            )
    yield ok(f"{len(kept)} builds are pinned by runs or operators")
