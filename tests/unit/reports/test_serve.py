"""Pages of a folder over HTTP: nothing else is read, nothing is written."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports.pages import MOST_BYTES
from gpt4rec_es.reports.serve import serving_pages


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    outside = tmp_path_factory.mktemp("outside") / "secret.html"
    outside.write_text("secret")
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("all nights")
    (folder / "big.html").write_bytes(b"x" * (MOST_BYTES + 1))
    (folder / "link.html").symlink_to(outside)
    (folder / "folder.html").mkdir()
    (folder / ".hidden.html").write_text("partial")
    (folder / "notes.txt").write_text("notes")
    with serving_pages(folder, "127.0.0.1", 0) as (port, _):
        yield port


def ask(
    port: int, path: str, method: str = "GET", host: str = "localhost"
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    found = (answer.status, answer.read().decode(), dict(answer.getheaders()))
    connection.close()
    return found


def test_pages_are_read(port: int) -> None:
    for path in ("/", "/index.html", "/index.html?again"):
        status, body, headers = ask(port, path)
        assert (status, body) == (200, "all nights")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(port, "/", "HEAD")[:2] == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        *("/big.html", "/link.html", "/folder.html", "/.hidden.html", "/notes.txt", "/none.html"),
        *("/../outside/secret.html", "/%2e%2e/secret.html", "/a/index.html"),
        "/index.html%00",
    ],
)
def test_nothing_else_is_read(port: int, path: str) -> None:
    status, body, _ = ask(port, path)
    assert (status, body) == (404, "There is no such page.\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_written(port: int, method: str) -> None:
    assert ask(port, "/index.html", method)[0] == 405


def test_other_host_names_are_refused(port: int) -> None:
    assert ask(port, "/", host="pages.example.org")[0] == 403
    assert ask(port, "/", host=f"127.0.0.1:{port}")[0] == 200


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        serving_pages(tmp_path / "none", "127.0.0.1", 0)


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot listen"), serving_pages(tmp_path, "192.0.2.1", 0):
        pass
