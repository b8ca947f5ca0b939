"""The server of the metrics answers while other clients hold connections."""

import socket
import threading
import time
import urllib.request
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine

from gpt4rec_es.exporter import server
from gpt4rec_es.exporter.collector import PostgresCollector, serving


def test_silent_clients_cannot_exhaust_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CLIENT_SECONDS", 0.2)
    monkeypatch.setattr(server.BoundedHandler, "timeout", 30)
    collector = PostgresCollector(create_engine("postgresql+psycopg2://"), {})
    with serving(collector, "127.0.0.1", 0) as (port, _), ExitStack() as clients:
        before = threading.active_count()
        for _ in range(60):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET /met")
        time.sleep(0.5)
        assert threading.active_count() - before <= server.MAX_CLIENTS
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"gpt4rec_up" in answer.read()
