"""Free disk space of the data nodes below Elasticsearch's disk watermarks.

Above the low watermark, Elasticsearch allocates only primary shards of new indices to a node. Above
the high watermark it moves shards away. At the flood stage it blocks writes to every index on the
node. So an index without replicas may grow to the high watermark, others to the low one.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from gpt4rec_es.errors import DependencyError

log = logging.getLogger(__name__)

_DISK = "cluster.routing.allocation.disk."
_DEFAULTS = {"low": "85%", "high": "90%", "flood_stage": "95%"}
_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
# An API key without the monitor privilege, or a service that hides its nodes.
_HIDDEN = frozenset({400, 403, 404, 405, 410})


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """Disk of one data node in bytes. usable: free space up to the watermark, never below 0."""

    name: str
    total: int
    free: int
    usable: int


def node_rooms(client: Elasticsearch, watermark: str = "high") -> list[NodeRoom] | None:
    """Return the data nodes, most usable space first; None: they cannot be read.

    watermark: low, high or flood_stage.

    Raises:
        ApiError, TransportError: any client error except missing privileges.
    """
    try:
        stats = client.nodes.stats(metric="fs").body["nodes"]
        settings = client.cluster.get_settings(include_defaults=True, flat_settings=True).body
    except ApiError as error:
        if error.status_code not in _HIDDEN:
            raise
        log.info("the cluster does not show its disks: %s", error.status_code)
        return None
    merged: dict[str, Any] = {}
    for level in ("defaults", "persistent", "transient"):
        merged |= settings.get(level, {})
    rooms = []
    for node in stats.values():
        if not any(role.startswith("data") for role in node["roles"]):
            continue
        disk = node["fs"]["total"]
        total, free = disk["total_in_bytes"], disk["available_in_bytes"]
        usable = max(free - kept_free(total, merged, watermark), 0)
        rooms.append(NodeRoom(node["name"], total, free, usable))
    return sorted(rooms, key=lambda room: -room.usable)


def kept_free(total: int, settings: Mapping[str, Any], watermark: str = "high") -> int:
    """Return how many of ``total`` bytes of a disk the watermark keeps free.

    settings: the cluster settings, flat. A watermark is a fraction of use (90%, 0.9), which
    max_headroom limits on large disks, or the number of free bytes (50gb).
    """
    if str(settings.get(_DISK + "threshold_enabled", "true")) != "true":
        return 0
    name = f"{_DISK}watermark.{watermark}"
    mark = str(settings.get(name, _DEFAULTS[watermark]))
    fraction = _fraction(mark)
    if fraction is None:
        return _bytes(mark) or 0
    wanted = round(total * (1 - fraction))
    headroom = _bytes(str(settings.get(f"{name}.max_headroom", "-1")))
    return wanted if headroom is None else min(wanted, headroom)


def require_room(client: Elasticsearch, where: str, *, bytes_needed: int, copies: int = 1) -> None:
    """Pass if ``copies`` nodes have room for ``bytes_needed`` each, or if disks cannot be read.

    Raises:
        DependencyError: too little room; nothing was created.
    """
    watermark = "high" if copies == 1 else "low"
    rooms = node_rooms(client, watermark)
    if rooms is None:
        return
    enough = [room for room in rooms if room.usable >= bytes_needed]
    if len(enough) >= copies:
        return
    nodes = ", ".join(f"{room.name} {readable(room.usable)}" for room in rooms[:5]) or "no node"
    raise DependencyError(
        f"{where} has too little disk space: {readable(bytes_needed)} are needed on "
        f"{copies} data node(s) below the {watermark} watermark; usable are: {nodes}.",
        "Delete old builds (`gpt4rec index prune --keep 0`), or free or add disk space.",
    )


def readable(number: int) -> str:
    """Return a number of bytes in readable form, such as 1.5 GB (of 1024 MB)."""
    value, unit = float(number), "B"
    for larger in ("KB", "MB", "GB", "TB", "PB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _fraction(text: str) -> float | None:
    if text.endswith("%"):
        return float(text[:-1]) / 100
    return float(text) if re.fullmatch(r"[01]?(\.\d+)?", text) else None


def _bytes(text: str) -> int | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgtp]?b)", text.lower())
    return int(float(found[1]) * _UNITS[found[2]]) if found else None
