"""A query generator on a server: any model behind OpenAI's completions protocol.

The server reads prompts as text, so nothing of the model is needed here: no weights, no tokenizer.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Never
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.generation.clean import clean_query, collapse
from gpt4rec_es.generation.completions import Choice, CompletionsClient
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.prompts.truncate import PromptWriter
from gpt4rec_es.records import (
    CatalogTitles,
    Decoding,
    GeneratedQuery,
    Generation,
    Prompt,
    PromptForm,
)

# Incremented when requests or queries change, so that stored generations are not used again.
_BEHAVIOUR = "endpoint generator 1"
# Requests of a process at a time: a server computes several in one batch.
_REQUESTS = 8
# Letters of English that count as a token: a tokenizer takes four. Of others, each byte counts.
_LETTERS = 2
# A short prompt, and tokens that are continued greedily after it to know the model again.
_KNOWN_PROMPT, _KNOWN_BY = prompt_text(("red cotton shirt",)), 16


@dataclass(frozen=True)
class Endpoint:
    """A completions server and what it is asked for; all of it is part of the stored address.

    url: up to ``/v1``. version: a text of the operator's choice that tells two models of one name
    apart. context: tokens of prompt and query together. has_beams: whether the server searches with
    beams (vLLM); otherwise queries are sampled.
    """

    url: str
    model: str
    version: str = ""
    context: int = 1024
    has_beams: bool = False

    def __post_init__(self) -> None:
        """Refuse an address that is none, or that has secrets."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{self.url!r} is no address of a server.", "Give http://HOST/v1.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError(
                "The address of an endpoint has no user, password or parameters.",
                "Set its key as GPT4REC_ENDPOINT_API_KEY.",
            )
        if not self.model or self.context < 1:
            raise UsageError("An endpoint needs a model and a context.", "See its documentation.")

    @property
    def address(self) -> str:
        """The URL with the rest as parameters, as the database stores it."""
        rest = {name: value for name, value in asdict(self).items() if name != "url"}
        return urlunsplit((*urlsplit(self.url)[:3], urlencode(rest), ""))

    @classmethod
    def at(cls, address: str) -> "Endpoint":
        """Return the endpoint of a stored address."""
        parts = urlsplit(address)
        rest = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(
            urlunsplit((*parts[:3], "", "")),
            rest["model"],
            rest["version"],
            int(rest["context"]),
            rest["has_beams"] == "True",
        )


class EndpointGenerator:
    """A QueryGenerator whose model runs elsewhere.

    Without beams, queries are samples with seeds of their prompts: a server that keeps to seeds
    gives equal prompts equal queries, whatever the batch. No prior is subtracted from their scores,
    since few servers give log-probabilities of given texts.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        *,
        reserve: int,
        prompt_titles: int | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._known: str | None = None
        self._at_once: int | None = None
        self._client = CompletionsClient(endpoint.url, api_key, connections=_REQUESTS)
        titles = PromptForm().titles if prompt_titles is None else prompt_titles
        self._writer = PromptWriter(_count, endpoint.context - reserve, PromptForm(titles))

    @property
    def content_hash(self) -> str:
        """The hash of model, version, kind of search, and how the model continues a prompt.

        The last is asked for each time, so a model that was exchanged is noticed.

        Raises:
            DependencyError: the server does not answer.
        """
        one = self._endpoint
        known = self._complete(_KNOWN_PROMPT, 1, _KNOWN_BY, temperature=0)
        facts = (_BEHAVIOUR, one.model, one.version, str(one.has_beams), known[0].text)
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()

    @property
    def prompt_form(self) -> PromptForm:
        """Return the form of its prompts."""
        return self._writer.form

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for bought ``titles``; ``n_tokens`` is estimated from its bytes."""
        return self._writer.write(titles)

    def choosing(self, titles: CatalogTitles) -> Never:  # noqa: ARG002 - QueryGenerator
        """Refuse: a server does not tell the probabilities of given titles."""
        raise UsageError(
            "A generator of kind endpoint cannot choose among the catalog's titles.",
            'Set decoding.mode to "free" in the recipe, or use a checkpoint.',
        )

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return one generation per prompt text, in order.

        Raises:
            DependencyError: the server does not answer one of them.
            DataError: it refuses one.
            ConflictError: its model is not the one of the first call.
        """
        if not prompts:
            return []
        self._require_same()
        with ThreadPoolExecutor(_REQUESTS) as pool:
            found = list(pool.map(lambda prompt: self._generation(prompt, decoding), prompts))
        self._require_same()
        return found

    def _require_same(self) -> None:
        """Refuse another model than that of the first call; a near tie may differ once."""
        if self._known is None:
            self._known = self.content_hash
        elif all(self.content_hash != self._known for _ in range(2)):
            raise ConflictError(
                f"{self._endpoint.url} serves another model than before as {self._endpoint.model}.",
                "Serve the one before, or register this one under another name.",
            )

    def _generation(self, prompt: str, decoding: Decoding) -> Generation:
        n, most = decoding.num_beams, decoding.max_new_tokens
        if self._endpoint.has_beams:
            choices = self._complete(prompt, n, most, use_beam_search=True, temperature=0)
        else:
            choices = self._sample(prompt, n, most)
        queries = (
            GeneratedQuery(clean_query(one.text), one.sum_logprob, one.n_tokens, None)
            for one in choices
        )
        return Generation(collapse(queries, decoding), sum(one.n_tokens for one in choices))

    def _sample(self, prompt: str, n: int, most: int) -> list[Choice]:
        """Return ``n`` samples, by several requests where a server gives fewer at once.

        llama.cpp refuses more than it has slots for, so that what is refused is asked for in
        halves; of later prompts, too, if the server refuses as many of a short prompt.

        Raises:
            DataError: the server refuses one sample, too.
        """
        seed = int.from_bytes(hash128(prompt)[:3], "big")
        found: list[Choice] = []
        at_once = self._at_once or n
        while len(found) < n:
            left = min(n - len(found), at_once)
            given = {"seed": seed + len(found), "temperature": 1}
            try:
                found += self._complete(prompt, left, most, **given)[:left]
            except DataError:
                if left == 1:
                    raise
                at_once = left // 2
                if not self._gives(left):
                    self._at_once = at_once
        return found

    def _gives(self, n: int) -> bool:
        """Return whether the server gives ``n`` samples of a short prompt."""
        try:
            return bool(self._complete(_KNOWN_PROMPT, n, _KNOWN_BY, seed=0, temperature=1))
        except DataError:
            return False

    def _complete(self, prompt: str, n: int, most: int, **options: Any) -> list[Choice]:
        body = {
            "model": self._endpoint.model,
            "prompt": prompt,
            "n": n,
            "max_tokens": most,
            "logprobs": 1,
            "stop": ["\n"],
            **options,
        }
        found = self._client.complete(body)
        if not found:
            raise DataError(f"{self._endpoint.url} answers no continuation.", "See its log.")
        return found


def _count(text: str) -> int:
    letters = sum(map(str.isascii, text))
    return -(-letters // _LETTERS) + len(text.encode()) - letters
