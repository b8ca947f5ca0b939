"""A client of servers that speak OpenAI's completions protocol, such as vLLM and llama.cpp.

https://platform.openai.com/docs/api-reference/completions; ``use_beam_search`` is vLLM's addition.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import urllib3

from gpt4rec_es.errors import DataError, DependencyError

# Of a request; a large model on a CPU takes this long for one prompt.
_SECONDS = 120.0
# Waits before the next tries of a request that was not answered, in seconds.
_WAITS = (0.5, 2.0, 8.0)
_LONGEST_WAIT = 30.0
_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_ANSWER_BYTES = 16 * 2**20


class Choice(NamedTuple):
    """A continuation of a prompt: its text, and the log-probabilities of its tokens added up."""

    text: str
    sum_logprob: float
    n_tokens: int


class _UnansweredError(Exception):
    """A request to send again, after ``pause`` seconds if the server says so."""

    def __init__(self, said: str, pause: float = 0.0) -> None:
        super().__init__(said)
        self.pause = pause


class CompletionsClient:
    """Sends requests to the folder ``/completions`` of a base URL, which ends with ``/v1``.

    Errors name the server and never repeat ``api_key``. A busy or silent server is asked again.
    """

    def __init__(self, base_url: str, api_key: str | None, *, connections: int) -> None:
        self._base = base_url.rstrip("/")
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._pool = urllib3.PoolManager(
            headers=headers,
            maxsize=connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=5.0, read=_SECONDS),
        )

    def complete(self, body: Mapping[str, Any]) -> list[Choice]:
        """Return the continuations that the server answers a request with.

        Raises:
            DataError: it refuses this prompt.
            DependencyError: it cannot be reached, stays busy, refuses the key, does not serve the
                model, or answers something else.
        """
        answer = self._ask(json.dumps(body).encode())
        try:
            return [_choice(choice) for choice in answer["choices"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DependencyError(
                f"{self._base} answers no completions with log-probabilities ({error!r:.80}).",
                "Use a server that returns them for /v1/completions, as vLLM and llama.cpp do.",
            ) from error

    def _ask(self, body: bytes) -> Any:
        for wait in _WAITS:
            try:
                return self._ask_once(body)
            except _UnansweredError as error:
                time.sleep(min(max(wait, error.pause), _LONGEST_WAIT))
        try:
            return self._ask_once(body)
        except _UnansweredError as error:
            raise DependencyError(
                f"{self._base} {error}, {len(_WAITS) + 1} times.", "Start it, or see its log."
            ) from error

    def _ask_once(self, body: bytes) -> Any:
        try:
            response = self._pool.request(
                "POST",
                f"{self._base}/completions",
                body=body,
                redirect=False,
                preload_content=False,
            )
            content = response.read(_ANSWER_BYTES)
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise _UnansweredError(f"cannot be reached ({type(error).__name__})") from error
        if response.status in _TRY_AGAIN:
            pause = _seconds(response.headers.get("Retry-After"))
            raise _UnansweredError(f"answers {response.status}", pause)
        if response.status in {401, 403}:
            raise DependencyError(
                f"{self._base} refuses the key ({response.status}).",
                "Set GPT4REC_ENDPOINT_API_KEY.",
            )
        try:
            answer = json.loads(content)
        except ValueError:
            kind = response.headers.get("Content-Type", "nothing").partition(";")[0]
            raise DependencyError(
                f"{self._base} answers {kind} and no JSON ({response.status}).",
                "The endpoint is the address of a completions server up to its /v1.",
            ) from None
        if response.status in {400, 413, 422}:
            raise DataError(
                f"{self._base} refuses a prompt ({response.status}): {_message(answer)}",
                "See that the endpoint's context is not larger than the server's.",
            )
        if response.status != 200:
            raise DependencyError(
                f"{self._base} completes nothing ({response.status}): {_message(answer)}",
                "See that it serves the model by this name.",
            )
        return answer


def _choice(choice: Mapping[str, Any]) -> Choice:
    """Return a continuation up to the end of its line.

    Of log-probabilities, both OpenAI's old and new form are read. vLLM's beam search knows no stop.
    """
    found = choice["logprobs"]
    if found.get("content") is not None:
        tokens = [(one.get("token", ""), one["logprob"]) for one in found["content"]]
    else:
        values = found["token_logprobs"]
        texts = found.get("tokens") or [""] * len(values)
        tokens = [one for one in zip(texts, values, strict=True) if one[1] is not None]
    text = str(choice["text"])
    line = text.lstrip("\n").partition("\n")[0]
    if line != text:
        tokens = tokens[: _tokens_of_line([token for token, _ in tokens])]
    total = math.fsum(value for _, value in tokens)
    if not math.isfinite(total) or total > 1e-3 * (len(tokens) + 1):
        raise ValueError(f"a log-probability of {total}")
    return Choice(line, min(total, 0.0), max(len(tokens), 1))


def _tokens_of_line(tokens: Sequence[str]) -> int:
    """Return the number of tokens up to the end of the first line that has text, end included."""
    seen = ""
    for place, token in enumerate(tokens, start=1):
        seen += token
        if "\n" in seen.lstrip("\n"):
            return place
    return len(tokens)


def _message(answer: Any) -> str:
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    said = error.get("message", error) if isinstance(error, dict) else error
    return str(said)[:200]


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
