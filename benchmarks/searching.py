"""Client-side cost of searches, compared with sending the same requests without parsing."""

import http.client
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

from sqlalchemy import text

from benchmarks.place import Place
from benchmarks.shops import fill_items
from benchmarks.table import Line, at_least, at_most, percent, rate
from benchmarks.timing import interleaved
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.index.reindex import ReindexOptions, reindex
from gpt4rec_es.retrieval.body import Template
from gpt4rec_es.retrieval.msearch import ANSWER_FILTER, ElasticRetriever

_ROUNDS = 5
_ITEMS = 12_000
_HITS = 20
# Defaults of ElasticRetriever.
_PER_REQUEST, _IN_FLIGHT = 1000, 2


def measure(place: Place, searches: int) -> list[Line]:
    """Return our client's time per search, and searches per second compared with a replay."""
    fill_items(place, _ITEMS)
    report = reindex(place.engine, place.elastic, ReindexOptions(alias=place.alias), actor="bench")
    index = report.build.index_name
    texts = _texts(place, searches)
    retriever = ElasticRetriever(place.elastic, index)
    found = retriever.search(texts, _HITS)
    bare = _Replay(place.elasticsearch_url, index, texts)
    bare.run()
    timings = interleaved(
        {
            "ours": (_ROUNDS, lambda: retriever.search(texts, _HITS)),
            "ready": (_ROUNDS, bare.run),
        }
    )
    bare.close()
    ours, ready = timings["ours"], timings["ready"]
    per_search, sockets = (one.cpu_seconds / len(texts) * 1e6 for one in (ours, ready))
    hits = sum(len(result.item_nos) for result in found) / len(found)
    return [
        at_most(f"search: client's time, {hits:.1f} hits", per_search, 10, lambda v: f"{v:.1f} us"),
        Line("search: of that, bare HTTP", f"{sockets:.1f} us"),
        at_least(
            "search: against ready requests", ready.wall_seconds / ours.wall_seconds, 0.9, percent
        ),
        Line("search", rate("searches")(len(texts) / ours.wall_seconds)),
    ]


def _texts(place: Place, searches: int) -> list[str]:
    """Return distinct query texts: the first words of titles, so that each has a hit."""
    with place.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT array_to_string((string_to_array(title, ' '))[p:p + 2], ' ') "
                "FROM items CROSS JOIN generate_series(1, 5) AS p LIMIT :n"
            ),
            {"n": searches},
        )
        return [search_text(one) for one in found.scalars()]


class _Replay:
    """Sends the requests with the standard library, two at a time; does not parse responses."""

    def __init__(self, url: str, index: str, texts: list[str]) -> None:
        template = Template.search(_HITS)
        self._bodies = [
            b"".join(template.fill(one) for one in texts[start : start + _PER_REQUEST])
            for start in range(0, len(texts), _PER_REQUEST)
        ]
        self._parts = urlsplit(url)
        self._path = f"/{index}/_msearch?filter_path={ANSWER_FILTER}"
        self._headers = {"content-type": "application/x-ndjson"}
        if self._parts.username:
            pair = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
            self._headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._pool = ThreadPoolExecutor(_IN_FLIGHT)

    def run(self) -> None:
        for status in self._pool.map(self._send, self._bodies):
            if status != 200:
                raise RuntimeError(f"Elasticsearch answered {status}")

    def close(self) -> None:
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    def _send(self, body: bytes) -> int:
        if not hasattr(self._local, "connection"):
            kind = (
                http.client.HTTPSConnection
                if self._parts.scheme == "https"
                else http.client.HTTPConnection
            )
            self._local.connection = kind(self._parts.hostname or "", self._parts.port)
            self._connections.append(self._local.connection)
        connection: http.client.HTTPConnection = self._local.connection
        connection.request("POST", self._path, body, self._headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
