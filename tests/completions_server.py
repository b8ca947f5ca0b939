"""A completions server on a checkpoint of ours, as vLLM and llama.cpp serve theirs."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.folder import open_checkpoint
from tests.elastic.stub import Reply, Request, stub

MODEL = "shop-tiny"


class Model:
    """Samples from a checkpoint.

    per_request: choices that it returns at most. slots: choices of a request that it refuses more
    than, as llama.cpp does.
    """

    def __init__(self, folder: Path, per_request: int = 100, slots: int = 100) -> None:
        from gpt4rec_es.encoders.network import open_network, pick_device  # noqa: PLC0415 - torch

        self._tokenizer = open_checkpoint(folder).tokenizer
        self._network = open_network(folder, "fp32", pick_device("cpu"))
        self._per_request, self._slots = per_request, slots
        self._lock = threading.Lock()
        self.requests = 0

    def complete(self, body: dict[str, Any]) -> Any:
        """Return the answer to a request; equal seeds give equal samples."""
        with self._lock:
            self.requests += 1
            if body["n"] > self._slots:
                refusal = {"error": {"message": f"Field 'n': at most {self._slots}"}}
                return Reply(refusal, 400, is_elasticsearch=False)
            wanted = min(body["n"], self._per_request)
            first = body.get("seed", 0)
            is_greedy = body["temperature"] == 0
            prompt, most = body["prompt"], body["max_tokens"]
            choices = [
                self._continue(prompt, most, None if is_greedy else first + n)
                for n in range(wanted)
            ]
        return {"model": body["model"], "choices": choices}

    @cache  # noqa: B019 - lives as long as the server
    def _continue(self, prompt: str, most: int, seed: int | None) -> dict[str, Any]:
        import torch  # noqa: PLC0415 - not for all tests

        chance = random.Random(seed)
        ids = list(self._tokenizer.encode(prompt))
        logprobs: list[float] = []
        new: list[int] = []
        for _ in range(most):
            with torch.inference_mode():
                found = self._network(torch.tensor([ids + new])).logits[0, -1].log_softmax(-1)
            token = int(found.argmax())
            if seed is not None:
                token = chance.choices(range(len(found)), found.exp().tolist())[0]
            logprobs.append(float(found[token]))
            if token == self._tokenizer.end_id:
                break
            new.append(token)
        text = self._tokenizer.decode_all([new])[0]
        return {"text": text, "logprobs": {"token_logprobs": logprobs}}


@contextmanager
def serving(
    complete: Callable[[dict[str, Any]], Any], api_key: str | None = None, port: int = 0
) -> Iterator[str]:
    """Yield the base URL of a server; ``complete`` answers a request's body, perhaps by a Reply."""

    def script(request: Request) -> Reply:
        if api_key and request.headers.get("authorization") != f"Bearer {api_key}":
            return Reply({"error": {"message": "wrong key"}}, 401, is_elasticsearch=False)
        assert request.path == "/v1/completions"
        answer = complete(json.loads(request.body))
        return answer if isinstance(answer, Reply) else Reply(answer, is_elasticsearch=False)

    with stub(script, port) as url:
        yield f"{url}/v1"
