"""The tokenizer of a GGUF file, as a ``tokenizers.Tokenizer``: SentencePiece's kind, or byte-level BPE."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from manera.bases.metadata import value
from manera.bases.pre_tokenizers import PRE_TOKENIZERS, WHOLE_WORDS
from manera.errors import ModelError

SPACE = "▁"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
VOCABULARY_KEYS = tuple(f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type"))
MERGES = "tokenizer.ggml.merges"
SPECIAL_KEYS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "eot", "unknown", "padding"))
PRE = "tokenizer.ggml.pre"


class Vocabulary(NamedTuple):
    """The ``tokenizer.ggml.*`` arrays of a GGUF file: parallel lists, indexed by token id.

    kinds are llama.cpp's token types; a higher score merges earlier. merges: of byte-level BPE, as ``left right``, the
    earliest first; none of SentencePiece. pre: how byte-level BPE parts a text, a key of PRE_TOKENIZERS.
    """

    pieces: list[str]
    scores: list[float]
    kinds: list[int]
    merges: Sequence[str] = ()
    pre: str = ""

    @property
    def parts(self) -> dict[str, tuple[str, str]]:
        """What each piece of byte-level BPE is merged from."""
        split = (merge.split(" ") for merge in self.merges)
        return {left + right: (left, right) for left, right in split}


def read_vocabulary(reader: gguf.GGUFReader) -> Vocabulary:
    """Return a file's vocabulary; raise ModelError for a kind that is not known."""
    kind = value(reader, "tokenizer.ggml.model")
    pieces, kinds = value(reader, VOCABULARY_KEYS[0]), value(reader, VOCABULARY_KEYS[2])
    if kind == "llama":
        return Vocabulary(pieces, value(reader, VOCABULARY_KEYS[1]), kinds)
    if kind != "gpt2":
        raise ModelError(f"a tokenizer of the kind {kind!r} is not known", "use a base that manera bases lists")
    pre = value(reader, PRE)
    if pre not in PRE_TOKENIZERS:
        raise ModelError(f"a tokenizer that parts text as {pre!r} is not known", f"known: {', '.join(PRE_TOKENIZERS)}")
    return Vocabulary(pieces, [0.0] * len(pieces), kinds, value(reader, MERGES), pre)


def trimmed(vocabulary: Vocabulary, kept: Sequence[int]) -> Vocabulary:
    """Return a vocabulary of only some tokens, and the merges that lead to them."""
    pieces = [vocabulary.pieces[index] for index in kept]
    scores = [vocabulary.scores[index] for index in kept]
    kinds = [vocabulary.kinds[index] for index in kept]
    known = set(pieces)
    merges = [merge for merge in vocabulary.merges if known.issuperset((*merge.split(" "), merge.replace(" ", "", 1)))]
    return Vocabulary(pieces, scores, kinds, merges, vocabulary.pre)


def splits(piece: str) -> list[tuple[str, str]]:
    """List every way to cut a piece in two."""
    return [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]


def merges(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Write SentencePiece's scores as the ordered merge list of BPE.

    SentencePiece joins the neighbours whose union has the best score; the union is what is scored,
    so every split of a piece into two known pieces is a merge of that piece's rank.
    """
    ids = {
        piece: index
        for index, (piece, kind) in enumerate(zip(vocabulary.pieces, vocabulary.kinds, strict=True))
        if kind in (NORMAL, UNUSED)
    }
    ranked = sorted(ids, key=lambda piece: -vocabulary.scores[ids[piece]])
    return [(left, right) for piece in ranked for left, right in splits(piece) if left in ids and right in ids]


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Build the tokenizer that llama.cpp builds from the same arrays: every string encodes and decodes exactly."""
    tokenizer = _byte_level(vocabulary) if vocabulary.merges else _sentencepiece(vocabulary)
    specials = _of_kind(vocabulary, CONTROL, UNKNOWN)
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in specials])
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in _of_kind(vocabulary, USER_DEFINED)])
    return tokenizer


def _sentencepiece(vocabulary: Vocabulary) -> Tokenizer:
    """Whole texts are one BPE word, spaces are written as ``▁``, unknown characters fall to bytes."""
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    unknown = vocabulary.pieces[next((i for i, kind in enumerate(vocabulary.kinds) if kind == UNKNOWN), 3)]
    tokenizer = Tokenizer(
        models.BPE(vocab=ids, merges=merges(vocabulary), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _byte_level(vocabulary: Vocabulary) -> Tokenizer:
    """Bytes are written as letters, and nothing is merged across the words that a text is parted into."""
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in vocabulary.merges)]
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=pairs, ignore_merges=vocabulary.pre in WHOLE_WORDS))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[vocabulary.pre]
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _of_kind(vocabulary: Vocabulary, *kinds: int) -> list[str]:
    return [piece for piece, kind in zip(vocabulary.pieces, vocabulary.kinds, strict=True) if kind in kinds]


@lru_cache(maxsize=4)
def token_bytes(tokenizer: Tokenizer) -> dict[int, bytes]:
    """Return what each token that is not special writes, in UTF-8; it may begin or end within a character."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    plain = {index: piece for piece, index in tokenizer.get_vocab().items() if piece not in special}
    if isinstance(tokenizer.decoder, decoders.ByteLevel):
        letters = byte_of_letter()
        added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
        return {
            index: piece.encode() if piece in added else bytes(letters[letter] for letter in piece)
            for index, piece in plain.items()
        }
    return {index: _sentencepiece_bytes(piece) for index, piece in plain.items()}


def _sentencepiece_bytes(piece: str) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()


@lru_cache(maxsize=1)
def byte_of_letter() -> dict[str, int]:
    """Return which byte each letter of byte-level BPE stands for: printable ones for themselves, as GPT-2 has it."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
