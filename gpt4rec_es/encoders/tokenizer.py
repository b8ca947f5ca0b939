"""A byte-level BPE tokenizer as GPT-2's: trained on titles, opened from a folder, saved.

The tokenizers library is used directly, because the night counts tokens of millions of prompts and
does not need the wrapper of transformers.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.template import CLOSING, OPENING, target_text, title_piece

END = "<|endoftext|>"
# Titles with digits, signs, apostrophes, other scripts, and a letter of two characters.
_SAMPLES = ("RED CANDLE 2pc", "500 ml 2.5%", "it's 50's (c)...", "_a-b_", "日本の傘 3", "🕯️ q̃")
# All bytes and the end token need an entry, so that every title can be encoded.
LEAST_VOCABULARY = 257


class PromptTokenizer:
    """Encodes and decodes pieces of prompts; text is never encoded as the end token."""

    def __init__(self, tokenizer: Tokenizer, end_id: int) -> None:
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.raw = tokenizer
        self.end_id = end_id
        self.size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, text: str) -> list[int]:
        """Return the token ids of ``text``."""
        return list(self.raw.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text."""
        encodings = self.raw.encode_batch_fast(list(texts), add_special_tokens=False)
        return [list(encoding.ids) for encoding in encodings]

    def count(self, text: str) -> int:
        """Return the number of tokens of ``text``."""
        return len(self.raw.encode(text, add_special_tokens=False).ids)

    def decode_all(self, sequences: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each token sequence, without end tokens.

        Invalid UTF-8 (a beam may stop within a character) becomes U+FFFD.
        """
        plain = [[token for token in ids if token != self.end_id] for ids in sequences]
        texts: list[str] = self.raw.decode_batch(plain, skip_special_tokens=False)
        return texts


def train_tokenizer(titles: Sequence[str], vocab_size: int) -> PromptTokenizer:
    """Return a tokenizer of at most ``vocab_size`` entries trained on display titles.

    The fixed words of prompts are part of the training text, so they take few tokens.

    Raises:
        UsageError: ``vocab_size`` is too small for all bytes.
    """
    if vocab_size < LEAST_VOCABULARY:
        raise UsageError(
            f"A vocabulary of {vocab_size} is too small.", f"Choose {LEAST_VOCABULARY} or more."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_training_texts(titles), trainer=trainer)
    return PromptTokenizer(tokenizer, tokenizer.get_vocab(with_added_tokens=True)[END])


def _training_texts(titles: Sequence[str]) -> Iterator[str]:
    """Yield each title as context and as target, and the fixed words with each tenth."""
    for number, title in enumerate(titles):
        if number % 10 == 0:
            yield OPENING
            yield CLOSING
        yield title_piece(title)
        yield target_text(title)


def open_tokenizer(folder: Path, end: Any = None) -> PromptTokenizer:
    """Return the tokenizer saved in ``folder``: tokenizer.json, or vocab.json and merges.txt.

    end: the end token (or several) by the configuration of the network, for a tokenizer without
    that of GPT-2.

    Raises:
        UsageError: it is missing, cannot be read, is not byte-level BPE, or has no end token.
    """
    files = tokenizer_files(folder)
    try:
        if len(files) == 1:
            tokenizer = Tokenizer.from_file(str(files[0]))
        else:
            tokenizer = Tokenizer(models.BPE.from_file(*map(str, files)))
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
    except Exception as error:  # the library raises Exception itself
        raise UsageError(
            f"The tokenizer in {folder} cannot be read: {str(error).splitlines()[0]}.",
            "Save it again with save_pretrained, or copy its files anew.",
        ) from error
    _require_byte_level(tokenizer, folder)
    end_id = tokenizer.token_to_id(END)
    if end_id is None:
        end_id = end[0] if isinstance(end, list) and end else end
    if not isinstance(end_id, int) or tokenizer.id_to_token(end_id) is None:
        raise UsageError(
            f"The tokenizer in {folder} has no {END} token, and config.json names no other in "
            "eos_token_id.",
            "Add the entry, or use a tokenizer made for GPT-2.",
        )
    return _require_pieces(PromptTokenizer(tokenizer, end_id), folder)


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files of the tokenizer in ``folder``, in reading order.

    Raises:
        UsageError: there are none.
    """
    whole = folder / "tokenizer.json"
    if whole.is_file():
        return [whole]
    parts = [folder / "vocab.json", folder / "merges.txt"]
    if all(part.is_file() for part in parts):
        return parts
    raise UsageError(
        f"{folder} holds no tokenizer.",
        "It needs tokenizer.json, or vocab.json and merges.txt, beside the weights.",
    )


def _require_byte_level(tokenizer: Tokenizer, folder: Path) -> None:
    """Refuse a tokenizer that cannot encode every text, or that changes texts."""
    description: dict[str, Any] = json.loads(tokenizer.to_str())
    before: dict[str, Any] = description.get("pre_tokenizer") or {}
    steps: list[dict[str, Any]] = before.get("pretokenizers", [before])
    is_plain = steps[-1].get("type") == "ByteLevel" and not steps[-1].get("add_prefix_space")
    splits = len(steps) > 1 or steps[-1].get("use_regex", True)
    normalizer = (description.get("normalizer") or {"type": "NFC"})["type"]
    if not (is_plain and splits and description["model"]["type"] == "BPE" and normalizer == "NFC"):
        raise UsageError(
            f"The tokenizer in {folder} is not byte-level BPE as GPT-2's.",
            "Use GPT-2's tokenizer, or leave --tokenizer out to learn one from the catalog.",
        )


def _require_pieces(tokenizer: PromptTokenizer, folder: Path) -> PromptTokenizer:
    """Refuse a tokenizer whose tokens of a prompt differ from those of its pieces, or lose text."""
    pieces = [OPENING, *map(title_piece, _SAMPLES), CLOSING]
    apart = [token for piece in pieces for token in tokenizer.encode(piece)]
    whole = "".join(pieces)
    if tokenizer.encode(whole) != apart or tokenizer.decode_all([apart]) != [whole]:
        raise UsageError(
            f"The tokenizer in {folder} does not keep titles as they are: the tokens of a prompt "
            "are not those of its titles, or decode to another text.",
            "Use a byte-level tokenizer that splits before each word, such as that of GPT-2, "
            "Llama 3, Qwen or SmolLM.",
        )
    return tokenizer


def save_tokenizer(tokenizer: PromptTokenizer, folder: Path, context: int) -> None:
    """Save ``tokenizer`` in the format of transformers; ``context`` in tokens."""
    tokenizer.raw.encode_special_tokens = False
    tokenizer.raw.save(str(folder / "tokenizer.json"))
    tokenizer.raw.encode_special_tokens = True
    end = tokenizer.raw.id_to_token(tokenizer.end_id)
    config = {
        "add_prefix_space": False,
        "backend": "tokenizers",
        "bos_token": end,
        "eos_token": end,
        "errors": "replace",
        "model_max_length": context,
        "pad_token": end,
        "padding_side": "left",
        "tokenizer_class": "GPT2Tokenizer" if end == END else "PreTrainedTokenizerFast",
        "unk_token": end,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
