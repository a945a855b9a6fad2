"""A GGUF file's tokenizer, and a smaller one that reads the same text alike."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from manera.bases import gguf_file, metadata, vocabulary
from manera.bases.family import EMBEDDING
from manera.bases.metadata import open_gguf
from manera.bases.tokenizer import BYTE, CONTROL, NORMAL, USER_DEFINED, Vocabulary, build_tokenizer, read_vocabulary
from manera.bases.tokenizer import trimmed as trimmed_to
from manera.dataset.encoding import Encoder
from manera.errors import ModelError
from tiny import GEMMA_TURNS, TEXT


@pytest.fixture(scope="module")
def full(tiny_base: Path) -> Vocabulary:
    return read_vocabulary(open_gguf(tiny_base / "base.gguf"))


def is_russian(piece: str) -> bool:
    return not any(character.isascii() and character.isalpha() for character in piece)


@pytest.fixture(scope="module")
def kept(full: Vocabulary) -> list[int]:
    """What a base keeps that has to know no English."""
    wanted = [i for i, piece in enumerate(full.pieces) if full.kinds[i] != NORMAL or is_russian(piece)]
    return sorted(vocabulary._closed_under_merging(full, wanted))


@pytest.fixture(scope="module")
def trimmed_file(tiny_base: Path, kept: list[int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trimmed") / "base.gguf"
    gguf_file.write_trimmed(open_gguf(tiny_base / "base.gguf"), kept, path)
    return path


@pytest.fixture(scope="module")
def trimmed(trimmed_file: Path) -> Tokenizer:
    return build_tokenizer(read_vocabulary(open_gguf(trimmed_file)))


@given(st.text())
def test_any_text_comes_back_exactly_from_the_trimmed_vocabulary(trimmed: Tokenizer, text: str) -> None:
    encoder = Encoder(trimmed, GEMMA_TURNS)
    assert encoder.decode(encoder.text(text)) == text


letters = st.text(st.sampled_from("авеиклнорст ,.\nА"), max_size=60)
lines = st.sampled_from([line for line in TEXT.split("\n") if line and is_russian(line)])


@given(st.lists(letters | lines, max_size=4).map("".join))
def test_text_of_kept_tokens_reads_the_same_under_the_trimmed_vocabulary(
    full: Vocabulary, trimmed: Tokenizer, text: str
) -> None:
    expected = build_tokenizer(full).encode(text, add_special_tokens=False).tokens
    assert trimmed.encode(text, add_special_tokens=False).tokens == expected


def test_repeated_letters_merge_alike_in_both_vocabularies() -> None:
    pieces = ["<unk>", "а", "аа", "ааа", "аааа", "ааааа", "аааааа"]
    small = Vocabulary(pieces, [0.0, -9.0, -1.0, -3.0, -2.0, -4.0, -5.0], [2] + [NORMAL] * 6)
    for wanted in range(1, len(pieces)):
        kept = sorted({0, 1} | vocabulary._closed_under_merging(small, [wanted]))
        less = trimmed_to(small, kept)
        word = build_tokenizer(small).encode(pieces[wanted]).tokens
        assert build_tokenizer(less).encode(pieces[wanted]).tokens == word


def test_special_and_byte_tokens_are_kept(full: Vocabulary, trimmed_file: Path) -> None:
    found = read_vocabulary(open_gguf(trimmed_file))
    for kind in (CONTROL, BYTE, USER_DEFINED):
        assert [p for p, k in zip(found.pieces, found.kinds, strict=True) if k == kind] == [
            p for p, k in zip(full.pieces, full.kinds, strict=True) if k == kind
        ]
    assert len(found.pieces) < len(full.pieces)


def test_special_ids_follow_their_tokens(tiny_base: Path, trimmed_file: Path) -> None:
    before, after = open_gguf(tiny_base / "base.gguf"), open_gguf(trimmed_file)
    for name in ("bos", "eos", "unknown", "padding"):
        key = f"tokenizer.ggml.{name}_token_id"
        pieces = [read_vocabulary(reader).pieces[metadata.value(reader, key)] for reader in (before, after)]
        assert pieces[0] == pieces[1]


def test_kept_rows_and_all_other_tensors_are_bit_identical(
    tiny_base: Path, trimmed_file: Path, kept: list[int]
) -> None:
    after = {tensor.name: tensor for tensor in open_gguf(trimmed_file).tensors}
    for tensor in open_gguf(tiny_base / "base.gguf").tensors:
        expected = tensor.data[kept] if tensor.name == EMBEDDING else tensor.data
        assert after[tensor.name].data.tobytes() == expected.tobytes()
        assert after[tensor.name].tensor_type == tensor.tensor_type


def test_an_unknown_language_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ModelError, match="'xx'") as caught:
        vocabulary.language_tokens("gemma-3-270m", "xx")
    assert "ru" in str(caught.value.hint)


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.gguf").write_bytes(b"not a model at all")
    for path in (tmp_path / "base.gguf", tmp_path / "absent.gguf"):
        with pytest.raises(ModelError, match="not a readable GGUF file"):
            open_gguf(path)
