"""Tokenizers from nothing: what they write back, what they cost, and what transformers makes of them."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from lab_texts import TEXT
from manera.errors import TrainingError
from manera.lab import tokenizers
from manera.lab.settings import TOKENIZERS, TokenizerKind

STRANGE = "Зд\u0301равствуй, мир!  Two  spaces,\n\ttabs & 数字 😂 – щ\u0001"
SIZES = {"word": 420, "bpe": 400, "unigram": 300}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_every_text_is_written_back_as_it_was(kind: TokenizerKind) -> None:
    tokenizer = tokenizers.learn(kind, [TEXT], SIZES.get(kind, 0))
    for text in (TEXT, STRANGE):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_transformers_loads_what_was_saved(kind: TokenizerKind, tmp_path: Path) -> None:
    tokenizer = tokenizers.learn(kind, [TEXT], SIZES.get(kind, 0))
    tokenizers.save(tokenizer, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.encode(STRANGE, add_special_tokens=False) == tokenizer.encode(STRANGE).ids
    assert (loaded.bos_token, loaded.eos_token) == ("<s>", "</s>")


def test_a_word_that_the_vocabulary_lacks_costs_its_letters() -> None:
    tokenizer = tokenizers.learn("word", ["кот и кот и кот"] * 3, 266)
    assert tokenizer.encode("кот и ток").tokens == ["кот", "▁и", "▁", "т", "о", "к"]
    assert tokenizer.encode("и ж").tokens == ["и", "▁", "<0xD0>", "<0xB6>"]


def test_what_comes_once_is_spelled_in_training_too() -> None:
    tokenizer = tokenizers.learn("character", ["ааббю"], 0)
    assert tokenizer.encode("абю").tokens == ["а", "б", "<0xD1>", "<0x8E>"]


def test_texts_are_opened_and_closed() -> None:
    tokenizer = tokenizers.learn("byte", [TEXT], 0)
    bos, eos = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    ids = tokenizers.stream(tokenizer, ["a", "bc"])
    assert [token for token in ids if token in (bos, eos)] == [bos, eos, bos, eos]
    assert len(ids) == 3 + 4


@pytest.mark.parametrize("kind", ["word", "bpe", "unigram"])
def test_a_vocabulary_larger_than_the_text_allows_is_named(kind: TokenizerKind) -> None:
    with pytest.raises(TrainingError) as refusal:
        tokenizers.learn(kind, [TEXT[:3000]], 60_000)
    assert "60,000 were asked for" in refusal.value.message
    assert "--vocab" in (refusal.value.hint or "")
    assert tokenizers.learn(kind, [TEXT[:3000]], 60_000, or_fewer=True).get_vocab_size() < 60_000


def test_words_need_room_beside_characters_and_bytes() -> None:
    with pytest.raises(TrainingError, match="no room for words"):
        tokenizers.learn("word", [TEXT], 100)
