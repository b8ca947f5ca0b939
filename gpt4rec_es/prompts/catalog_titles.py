"""The titles of a catalog that a decoding of mode "titles" chooses among, and its key."""

import hashlib
from collections.abc import Iterable

from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.records import CatalogTitles, Decoding


def catalog_titles(titles: Iterable[str]) -> CatalogTitles:
    """Return the distinct display forms of ``titles``, without empty ones."""
    texts = sorted({display for title in titles if (display := display_title(title))})
    digest = hashlib.blake2b(digest_size=16)
    for one in texts:
        digest.update(hash128(one))
    return CatalogTitles(tuple(texts), digest.hexdigest())


def generation_settings(
    decoding: Decoding, titles_hash: str | None, *, reads_vectors: bool = False
) -> str:
    """Return what a generation is stored under beside prompt and generator, as canonical JSON.

    titles_hash: of the titles that were chosen among; None: text was written freely. reads_vectors:
    by a reader of vectors.
    """
    values = decoding.as_dict()
    if titles_hash is not None:
        # "bought": until this entry, titles of the prompt were chosen, too.
        values |= {"titles": titles_hash, "bought": False}
        if reads_vectors:  # until this entry, their decoder chose
            values["by"] = "reader"
    return canonical_json(values)
