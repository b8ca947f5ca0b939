import socket
from collections.abc import Iterator

import pytest

from gpt4rec_es.errors import ConflictError
from gpt4rec_es.stack import ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_with_a_listener_is_not_free(taken_port: int) -> None:
    assert ports.is_free(taken_port) is False


def test_a_listener_on_all_addresses_takes_the_port_too() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - that is what is tried here
        listener.listen()
        assert ports.is_free(listener.getsockname()[1]) is False


def test_a_connection_that_just_ended_leaves_its_port_free() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = listener.accept()
        served.close()  # the server's side closes first and stays in TIME_WAIT
        client.close()
    assert ports.is_free(port) is True


def test_the_remembered_port_is_kept_while_it_is_free() -> None:
    first = ports.choose("X", 0, None, set())
    assert ports.choose("X", 0, first, set()) == first


def test_another_port_is_chosen_when_the_remembered_is_taken(taken_port: int) -> None:
    chosen = ports.choose("X", 0, taken_port, set())
    assert chosen != taken_port
    assert ports.is_free(chosen)


def test_a_port_promised_to_another_server_is_not_given_twice() -> None:
    first = ports.choose("X", 0, None, set())
    assert ports.choose("Y", 0, first, {first}) != first
    with pytest.raises(ConflictError):
        ports.choose("Y", first, None, {first})


def test_chosen_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(20_000 <= ports.choose("X", 0, None, set()) < 32_768 for _ in range(20))


def test_a_wanted_port_is_taken_as_it_is_or_refused_by_name(taken_port: int) -> None:
    free = ports.choose("X", 0, None, set())
    assert ports.choose("X", free, 29_999, set()) == free
    with pytest.raises(
        ConflictError, match=f"Port {taken_port}, requested for Broker, is used"
    ) as e:
        ports.choose("Broker", taken_port, None, set())
    assert "free one" in e.value.hint
