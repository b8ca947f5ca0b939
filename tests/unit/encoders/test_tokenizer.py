import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from gpt4rec_es.encoders.tokenizer import (
    END,
    PromptTokenizer,
    open_tokenizer,
    save_tokenizer,
    train_tokenizer,
)
from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.template import CLOSING, OPENING, display_title, prompt_text
from gpt4rec_es.prompts.truncate import PromptWriter

TITLES = ["RED CANDLE 2pc", "Café au lait, 250g", "it's 50's T-LIGHT", "日本の傘", "a_b (c)..."]
TOKENIZER = train_tokenizer(TITLES, 600)
TITLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["it's", "'s", "2.5 %", "...", "a\u2009b", "\u180e x", "🕯️ candle", END, "x\u0301 y"]
)


@settings(max_examples=300)
@given(st.lists(TITLE_TEXT, min_size=1, max_size=6))
def test_counts_of_pieces_add_up_to_the_count_of_the_prompt(titles: list[str]) -> None:
    prompt = PromptWriter(TOKENIZER.count, 10_000).write(titles)
    if prompt is None:
        assert not any(map(display_title, titles))
    else:
        assert prompt.n_tokens == TOKENIZER.count(prompt.text)


@given(st.lists(TITLE_TEXT, min_size=1, max_size=20), st.integers(40, 120))
def test_prompts_never_exceed_the_limit(titles: list[str], limit: int) -> None:
    prompt = PromptWriter(TOKENIZER.count, limit).write(titles)
    assert prompt is None or TOKENIZER.count(prompt.text) == prompt.n_tokens <= limit


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_encoding(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.end_id not in ids
    assert TOKENIZER.decode_all([[*ids, TOKENIZER.end_id]]) == [text]
    assert TOKENIZER.encode_all([text]) == [ids]


def test_the_fixed_words_cost_few_tokens() -> None:
    assert TOKENIZER.count(OPENING) + TOKENIZER.count(CLOSING) <= 18
    assert TOKENIZER.size <= 600


def test_it_opens_as_it_was_saved_also_by_transformers(tmp_path: Path) -> None:
    save_tokenizer(TOKENIZER, tmp_path, 256)
    text = prompt_text(TITLES)
    assert open_tokenizer(tmp_path).encode(text) == TOKENIZER.encode(text)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(text).input_ids == TOKENIZER.encode(text)
    assert (theirs.eos_token, theirs.padding_side, theirs.model_max_length) == (END, "left", 256)


def test_vocab_and_merges_open_to_the_same_tokenizer(tmp_path: Path) -> None:
    TOKENIZER.raw.model.save(str(tmp_path))
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    assert END in vocabulary
    opened = open_tokenizer(tmp_path)
    assert opened.encode(prompt_text(TITLES)) == TOKENIZER.encode(prompt_text(TITLES))
    assert opened.end_id == TOKENIZER.end_id


def saved(tmp_path: Path, **changes: object) -> Path:
    save_tokenizer(TOKENIZER, tmp_path, 256)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return tmp_path


@pytest.mark.parametrize(
    "changes",
    [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": None},
        {"normalizer": {"type": "Lowercase"}},
        {
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": True,
                "trim_offsets": True,
                "use_regex": True,
            }
        },
    ],
)
def test_other_tokenizers_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="not byte-level BPE"):
        open_tokenizer(saved(tmp_path, **changes))


def test_broken_and_missing_tokenizers_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no tokenizer"):
        open_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        open_tokenizer(tmp_path)


def test_a_tokenizer_without_end_token_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace(END, "<other>"))
    with pytest.raises(UsageError, match="no <|endoftext|> token".replace("|", r"\|")):
        open_tokenizer(tmp_path)


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        train_tokenizer(TITLES, 256)


def test_training_is_deterministic() -> None:
    again = train_tokenizer(TITLES, 600)
    assert again.raw.to_str() == TOKENIZER.raw.to_str()
    assert isinstance(again, PromptTokenizer)
