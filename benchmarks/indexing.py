"""A full reindex compared with sending the same encoded bulk requests to an equal index."""

from itertools import count

from benchmarks.place import Place
from benchmarks.shops import fill_items
from benchmarks.table import Line, at_least, percent, rate
from benchmarks.timing import interleaved
from gpt4rec_es.db.rows.documents import catalog_snapshot
from gpt4rec_es.index.bulk import BulkLimits
from gpt4rec_es.index.create import create_index, seal_index
from gpt4rec_es.index.mapping import Analysis, encode_document, index_body
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from gpt4rec_es.records import Bm25

_ROUNDS = 3


def measure(place: Place, items: int) -> list[Line]:
    """Return the times of a reindex of ``items`` items and of a replay of its requests."""
    fill_items(place, items)
    bodies, numbers = _ready_bodies(place), count()
    options = ReindexOptions(alias=place.alias, keep=0)

    def replay() -> None:
        index = f"{place.alias}-replay-{next(numbers)}"
        create_index(place.elastic, index, index_body(Bm25(), Analysis()))
        for body in bodies:
            place.elastic.perform_request(
                "POST",
                f"/{index}/_bulk",
                params={"filter_path": "errors"},
                headers={"accept": "application/json", "content-type": "application/x-ndjson"},
                body=body,
            )
        seal_index(place.elastic, index)

    timings = interleaved(
        {
            "ours": (
                _ROUNDS,
                lambda: reindex(place.engine, place.elastic, options, actor="bench"),
            ),
            "ready": (_ROUNDS, replay),
        },
        prepare=lambda: _delete_replays(place),
    )
    ours, ready = timings["ours"], timings["ready"].wall_seconds
    return [
        at_least("reindex: against ready bulk bodies", ready / ours.wall_seconds, 0.9, percent),
        Line("reindex", rate("items")(items / ours.wall_seconds)),
        Line("reindex: client's time", f"{ours.cpu_seconds / items * 1e6:.1f} us/item"),
    ]


def _ready_bodies(place: Place) -> list[bytes]:
    """Return the requests of a reindex without refusals."""
    limits = BulkLimits()
    bodies: list[bytes] = []
    lines: list[bytes] = []
    with catalog_snapshot(place.engine) as snapshot:
        for document in snapshot.documents():
            line = encode_document(document)
            if len(lines) == limits.documents or sum(map(len, lines[-1:])) > limits.bytes:
                bodies.append(b"".join(lines))
                lines = []
            lines.append(line)
    return [*bodies, b"".join(lines)]


def _delete_replays(place: Place) -> None:
    found = place.elastic.indices.get(index=f"{place.alias}-replay-*", ignore_unavailable=True)
    for index in list(found.body):
        place.elastic.indices.delete(index=index)
