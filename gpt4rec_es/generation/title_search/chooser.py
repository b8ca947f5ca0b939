"""A network that chooses among titles: search, and the probability of given titles."""

from collections.abc import Mapping, Sequence
from typing import Any

from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.generation.beam import Hypothesis
from gpt4rec_es.generation.title_search.branches import search_titles
from gpt4rec_es.generation.title_search.likelihood import title_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie
from gpt4rec_es.prompts.template import target_text


def title_ids(
    titles: Sequence[str], tokenizer: PromptTokenizer, most: int
) -> list[tuple[int, ...]]:
    """Return the tokens of display titles as a generator writes them, with the end token.

    Longer titles are cut to ``most`` tokens, so that some may be equal.
    """
    encoded = tokenizer.encode_all([target_text(title) for title in titles])
    return [(*ids, tokenizer.end_id)[:most] for ids in encoded]


def leaves_of(titles: Sequence[str], leaves: Mapping[str, int]) -> list[int]:
    """Return the leaf of each display title.

    Raises:
        ValueError: a title is not in the catalog.
    """
    try:
        return [leaves[title] for title in titles]
    except KeyError as error:
        raise ValueError(f"A title is not in the catalog: {error}.") from error


class TitleChooser:
    """A network, the trie of a catalog, and the frame of prompts without titles.

    leaves: of each display title the leaf in the trie. Probabilities after the bare frame are kept,
    one per title that was found.
    """

    def __init__(
        self,
        network: Any,
        titles: Sequence[str],
        ids: Sequence[Sequence[int]],
        frame: Sequence[int],
    ) -> None:
        """Set them; ids: of each title, see ``title_ids``; ``frame`` has at least one token."""
        self._network, self._trie, self._frame = network, TitleTrie(ids), frame
        self.leaves = dict(zip(titles, map(self._trie.leaf, ids), strict=True))
        self._priors: dict[int, float] = {}

    def search(
        self,
        prompts: Sequence[Sequence[int]],
        num_beams: int,
        bought: Sequence[Sequence[str]],
    ) -> list[list[Hypothesis]]:
        """Return the likeliest titles of each prompt, best first, without those of ``bought``."""
        barred = [[self.leaves[title] for title in own] for own in bought]
        return search_titles(self._network, prompts, self._trie, num_beams, barred)

    def logprobs(self, prompts: Sequence[Sequence[int]], titles: Sequence[str]) -> list[float]:
        """Return the natural-log probability of each display title after its prompt.

        Raises:
            ValueError: a title is not in the catalog.
        """
        leaves = leaves_of(titles, self.leaves)
        return title_logprobs(self._network, prompts, leaves, self._trie)

    def priors(self, titles: Sequence[Sequence[int]]) -> list[float]:
        """Return the natural-log probability of each title after the bare frame."""
        leaves = [self._trie.leaf(ids) for ids in titles]
        new = sorted({leaf for leaf in leaves if leaf not in self._priors})
        found = title_logprobs(self._network, [self._frame] * len(new), new, self._trie)
        self._priors |= zip(new, found, strict=True)
        return [self._priors[leaf] for leaf in leaves]
