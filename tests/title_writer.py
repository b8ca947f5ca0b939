"""A model behind a completions server that writes titles of the shop; also as a process."""

import os
import random
import signal
import sys
import time
from typing import Any

from tests.completions_server import serving
from tests.elastic.stub import Reply
from tests.shop import COLOURS, KINDS, STYLES


class Writer:
    """Writes titles of the style that the prompt has, by seed; gone for some requests."""

    def __init__(self) -> None:
        self.model = "red "
        self.requests = 0
        self.gone: range = range(0)
        self.refused = "nothing"

    def complete(self, body: dict[str, Any]) -> Any:
        self.requests += 1
        if self.requests in self.gone:
            return Reply(None, is_elasticsearch=False)
        if self.refused in body["prompt"]:
            return Reply({"error": {"message": "too long"}}, 400, is_elasticsearch=False)
        if body["temperature"] == 0:
            return self._answer([self.model])
        style = next((one for one in STYLES if one in body["prompt"]), STYLES[0])
        chosen = [random.Random(body["seed"] + n) for n in range(body["n"])]
        return self._answer(
            [f"{style} {one.choice(COLOURS)} {one.choice(KINDS)}" for one in chosen]
        )

    @staticmethod
    def _answer(texts: list[str]) -> dict[str, Any]:
        found = {"token_logprobs": [-0.5, -0.75, -1.0]}
        return {"choices": [{"text": text, "logprobs": found} for text in texts]}


class _Slow(Writer):
    """Says when it is asked."""

    def complete(self, body: dict[str, Any]) -> Any:
        time.sleep(0.05)
        os.write(1, b"asked\n")  # in one piece, whatever the thread
        return super().complete(body)


if __name__ == "__main__":
    with serving(_Slow().complete, api_key=sys.argv[2], port=int(sys.argv[1])):
        os.write(1, b"ready\n")
        signal.pause()
