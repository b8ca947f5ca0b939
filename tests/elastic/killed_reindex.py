"""Reindex repeatedly, each time killed one step later; run by test_killed_reindex.py.

A step is a request to Elasticsearch or a commit to Postgres. Prints one JSON line per kill with the
result of a search right after it. A separate process, because forks of the test process would share
its connections.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine, event

from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.index.reindex import ReindexOptions, reindex


def connect(database_url: str, elasticsearch_url: str) -> tuple[Engine, Elasticsearch]:
    return make_engine(database_url, application_name="killed"), make_client(elasticsearch_url)


def before_each_step(engine: Engine, client: Elasticsearch, call: Callable[[], None]) -> None:
    send = client.transport.perform_request

    def perform_request(*args: Any, **options: Any) -> Any:
        call()
        return send(*args, **options)

    client.transport.perform_request = perform_request  # type: ignore[method-assign]
    event.listen(engine, "commit", lambda _: call())


def reindex_until(step: int, urls: tuple[str, str], alias: str) -> None:
    """Reindex and kill this process before its ``step``-th step; exit with 0 if it has fewer."""
    engine, client = connect(*urls)
    steps = 0

    def kill_before_step() -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)

    before_each_step(engine, client, kill_before_step)
    while True:
        try:
            reindex(engine, client, ReindexOptions(alias=alias), actor=f"killed {step}")
            os._exit(0)
        except ConflictError:
            # The server has not yet closed the session of the killed process.
            steps = 0


def main() -> None:
    *urls, alias = sys.argv[1:]
    step = 0
    is_done = False
    while not is_done:
        step += 1
        child = os.fork()
        if child == 0:
            reindex_until(step, (urls[0], urls[1]), alias)
        is_done = os.waitpid(child, 0)[1] == 0
        client = make_client(urls[1])
        found = client.search(index=alias, query={"match": {"title": "shirt"}})["hits"]["hits"]
        line = {
            "step": step,
            "targets": sorted(client.indices.get_alias(name=alias).body),
            "hits": len(found),
        }
        client.close()
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
