"""A pooler that shares sessions is recognized by the process numbers that it invents."""

from types import SimpleNamespace
from typing import Any, Self

import pytest

from gpt4rec_es.db.pooling import refuse_shared_sessions, shares_sessions
from gpt4rec_es.errors import UsageError


class Connection:
    """A connection that announces one process number and answers with others."""

    def __init__(self, announced: int, answers: list[int]) -> None:
        info = SimpleNamespace(backend_pid=announced)
        self.connection = SimpleNamespace(driver_connection=SimpleNamespace(info=info))
        self._answers = answers

    def execute(self, _statement: object) -> Any:
        answer = self._answers.pop(0)
        return SimpleNamespace(scalar_one=lambda: answer)

    def execution_options(self, **_: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def engine(*connections: Connection) -> Any:
    waiting = list(connections)
    return SimpleNamespace(connect=lambda: waiting.pop(0))


@pytest.mark.parametrize(
    ("connections", "shared"),
    [
        ([Connection(7, [7])], False),  # direct
        ([Connection(1, [7, 7, 7]), Connection(2, [8])], False),  # a session for each
        ([Connection(1, [7, 7]), Connection(2, [7])], True),  # both in one session
        ([Connection(1, [7, 7, 9]), Connection(2, [8])], True),  # another session each time
    ],
)
def test_shared_sessions(connections: list[Connection], shared: bool) -> None:
    assert shares_sessions(engine(*connections)) is shared


def test_work_that_needs_a_session_is_refused() -> None:
    pooled = Connection(1, [7])
    with pytest.raises(UsageError, match=r"shares sessions; the lock 'x' needs one.*direct addr"):
        refuse_shared_sessions(
            engine(Connection(1, [7, 7]), Connection(2, [7])),
            pooled,  # type: ignore[arg-type]
            "the lock 'x'",
        )
