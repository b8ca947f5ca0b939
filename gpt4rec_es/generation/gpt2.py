"""The query generator of the GPT4Rec paper: a GPT-2 continues a prompt of a user's history.

Prompts can be written without torch; the network is opened at the first generation, in the process
that generates.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.clean import clean_query, collapse, score_query
from gpt4rec_es.generation.finite import overflow_named, require_finite
from gpt4rec_es.generation.inputs import HistoryInputs, WordInputs, require_room
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.title_lines import LineWriter
from gpt4rec_es.prompts.truncate import PromptWriter
from gpt4rec_es.records import (
    CatalogTitles,
    Decoding,
    GeneratedQuery,
    Generation,
    Prompt,
    PromptForm,
)

if TYPE_CHECKING:
    from gpt4rec_es.generation.beam import Hypothesis
    from gpt4rec_es.generation.beam_searches import BeamSearch
    from gpt4rec_es.generation.priors import Priors
    from gpt4rec_es.generation.title_search.chooser import TitleChooser
    from gpt4rec_es.generation.title_search.reader_chooser import ReaderChooser

log = logging.getLogger(__name__)


class Gpt2Generator:
    """A QueryGenerator on a checkpoint folder.

    reserve: tokens of the context kept free for the query; at least max_new_tokens of any decoding.
    prompt_titles: newest titles in a prompt; None: the number that it was trained with.
    """

    def __init__(
        self,
        folder: Path,
        options: GeneratorOptions,
        *,
        reserve: int,
        prompt_titles: int | None = None,
    ) -> None:
        self._checkpoint = open_checkpoint(folder)
        self._tokenizer = self._checkpoint.tokenizer
        reads_words = self._checkpoint.reader is None
        self._inputs = (WordInputs if reads_words else HistoryInputs)(self._checkpoint)
        self._options = options
        self._beam_search: BeamSearch | None = None
        self._networks: dict[str, Any] = {}
        self._priors: dict[str, Priors] = {}
        self._titles: CatalogTitles | None = None
        self._choosers: dict[tuple[str, int], TitleChooser | ReaderChooser] = {}
        form = self._checkpoint.prompt_form
        if prompt_titles is not None and prompt_titles != form.titles:
            log.warning(
                "prompts have up to %d titles, but %s was trained with up to %d",
                prompt_titles,
                folder.name,
                form.titles,
            )
            form = replace(form, titles=prompt_titles)
        self._writer = (
            PromptWriter(self._tokenizer.count, self._checkpoint.context - reserve, form)
            if reads_words
            else LineWriter(form)
        )

    @property
    def content_hash(self) -> str:
        """Return the hash of configuration, tokenizer and weights."""
        return self._checkpoint.content_hash

    @property
    def reads_vectors(self) -> bool:
        """Return whether it reads a vector per title; then its reader chooses titles."""
        return isinstance(self._inputs, HistoryInputs)

    @property
    def prompt_form(self) -> PromptForm:
        """Return the form of its prompts."""
        return self._writer.form

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for bought ``titles`` (oldest first), or None if there are none."""
        return self._writer.write(titles)

    def choosing(self, titles: CatalogTitles) -> "Gpt2Generator":
        """Return this generator for decodings of mode "titles"; the network is shared.

        Raises:
            UsageError: there are no titles.
        """
        if not titles.texts:
            raise UsageError("The catalog has no title to choose.", "Import items with titles.")
        other = copy.copy(self)
        vars(other).update(_titles=titles, _choosers={})
        return other

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return one generation per prompt text, in order.

        Raises:
            UsageError: a prompt and max_new_tokens together exceed the context, fp16 without a GPU,
                or log-probabilities that are not finite, as where fp16 overflows.
        """
        if not prompts:
            return []
        from gpt4rec_es.generation.beam_searches import open_beam_search  # noqa: PLC0415 - loads torch

        ids = self._inputs.ids(prompts)
        read = [*ids, self._inputs.frame] if decoding.prior_weight else ids
        require_room(read, decoding.max_new_tokens, self._checkpoint.context)
        self._beam_search = self._beam_search or open_beam_search(self._options.beam_search)
        network = self._network(decoding.dtype, self._beam_search)
        self._inputs.prepare(network, prompts)
        budget = self._options.token_budget or self._beam_search.token_budgets[network.device.type]
        places = [len(tokens) + decoding.max_new_tokens for tokens in ids]
        found: dict[int, Generation] = {}
        with overflow_named(str(self._checkpoint.folder), decoding.dtype):
            for batch in plan_batches(places, decoding.num_beams, budget):
                own_ids, texts = [ids[n] for n in batch], [prompts[n] for n in batch]
                own = self._search(network, self._beam_search, own_ids, texts, decoding)
                found |= zip(batch, own, strict=True)
        return [found[place] for place in range(len(prompts))]

    def _search(
        self,
        network: Any,
        beam_search: "BeamSearch",
        ids: Sequence[Sequence[int]],
        prompts: Sequence[str],
        decoding: Decoding,
    ) -> list[Generation]:
        """Return the generations of one batch."""
        chooser = self._chooser(network, decoding) if decoding.mode == "titles" else None
        if chooser:
            # Their titles are searched for without a generator.
            bought = [self._inputs.titles(prompt, chooser.leaves) for prompt in prompts]
            beams = chooser.search(ids, decoding.num_beams, bought)
        else:
            beams = beam_search.search(network, ids, decoding, self._tokenizer.end_id)
        priors = self._prior_logprobs(network, beams, decoding, chooser)
        is_spelled = chooser is None or not self.reads_vectors
        return [
            self._generation(hypotheses, own, decoding, is_spelled=is_spelled)
            for hypotheses, own in zip(beams, priors, strict=True)
        ]

    def title_texts(self, max_new_tokens: int) -> list[str]:
        """Return the query of each title, cut to ``max_new_tokens``; needs the tokenizer alone."""
        from gpt4rec_es.generation.title_search.chooser import title_ids  # noqa: PLC0415 - torch

        titles = self._titles.texts if self._titles else ()
        ids = title_ids(titles, self._tokenizer, max_new_tokens)
        return [clean_query(text) for text in self._tokenizer.decode_all(ids)]

    def title_logprobs(self, prompts: Sequence[str], titles: Sequence[str]) -> list[float]:
        """Return the natural-log probability of each display title after its prompt text.

        Raises:
            ValueError: a title is not in the catalog, or it does not choose.
        """
        from gpt4rec_es.generation.beam_searches import open_beam_search  # noqa: PLC0415 - loads torch

        self._beam_search = self._beam_search or open_beam_search(self._options.beam_search)
        decoding = Decoding()
        network = self._network(decoding.dtype, self._beam_search)
        self._inputs.prepare(network, prompts)
        with overflow_named(str(self._checkpoint.folder), decoding.dtype):
            return self._chooser(network, decoding).logprobs(self._inputs.ids(prompts), titles)

    def _prior_logprobs(
        self,
        network: Any,
        beams: "list[list[Hypothesis]]",
        decoding: Decoding,
        chooser: "TitleChooser | ReaderChooser | None",
    ) -> list[list[float | None]]:
        """Return the log-probability of each hypothesis after the bare frame; None: not needed."""
        if not decoding.prior_weight:
            return [[None] * len(hypotheses) for hypotheses in beams]
        from gpt4rec_es.generation.priors import Priors  # noqa: PLC0415 - loads torch

        if decoding.dtype not in self._priors:
            self._priors[decoding.dtype] = Priors(network, self._inputs.frame)
        prior_logprobs = chooser.priors if chooser else self._priors[decoding.dtype].of
        found = iter(prior_logprobs([h.token_ids for own in beams for h in own]))
        return [list(islice(found, len(hypotheses))) for hypotheses in beams]

    def _chooser(self, network: Any, decoding: Decoding) -> "TitleChooser | ReaderChooser":
        from gpt4rec_es.generation.title_search import chooser, reader_chooser  # noqa: PLC0415 - torch

        if self._titles is None:
            raise ValueError("A generator that writes freely cannot choose titles.")
        key = (decoding.dtype, decoding.max_new_tokens)
        if key not in self._choosers:
            texts = self._titles.texts
            ids = chooser.title_ids(texts, self._tokenizer, decoding.max_new_tokens)
            self._choosers[key] = (
                reader_chooser.ReaderChooser(self._inputs, texts, ids)
                if isinstance(self._inputs, HistoryInputs)
                else chooser.TitleChooser(network, texts, ids, self._inputs.frame)
            )
        return self._choosers[key]

    def _network(self, dtype: str, beam_search: "BeamSearch") -> Any:
        if dtype not in self._networks:
            from gpt4rec_es.encoders import network  # noqa: PLC0415 - loads torch

            device = network.pick_device(self._options.device)
            opened = self._inputs.open(self._checkpoint.folder, dtype, device)
            # A second thread does not speed up a small network, and makes it many times slower
            # beside other work, because its steps are shorter than the synchronization of threads.
            is_small = opened.config.hidden_size < 512
            network.set_threads(self._options.threads or (1 if is_small else 0))
            self._networks[dtype] = beam_search.prepare(opened)
        return self._networks[dtype]

    def _generation(
        self,
        hypotheses: "list[Hypothesis]",
        priors: Sequence[float | None],
        decoding: Decoding,
        *,
        is_spelled: bool,
    ) -> Generation:
        texts = self._tokenizer.decode_all([h.token_ids for h in hypotheses])
        queries = [
            GeneratedQuery(clean_query(text), h.sum_logprob, len(h.token_ids), prior)
            for text, h, prior in zip(texts, hypotheses, priors, strict=True)
        ]
        require_finite([score_query(query, decoding) for query in queries])
        tokens = sum(len(h.token_ids) for h in hypotheses) if is_spelled else 0
        return Generation(collapse(queries, decoding), tokens)
