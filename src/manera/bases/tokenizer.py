"""The tokenizer of a GGUF file, as a ``tokenizers.Tokenizer``."""

from typing import NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

SPACE = "▁"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


class Vocabulary(NamedTuple):
    """The ``tokenizer.ggml.*`` arrays of a GGUF file: parallel lists, indexed by token id.

    kinds are llama.cpp's token types; a higher score merges earlier.
    """

    pieces: list[str]
    scores: list[float]
    kinds: list[int]


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
    """Build the tokenizer that llama.cpp builds from the same arrays (``tokenizer.ggml.model = llama``).

    Whole texts are one BPE word, spaces are written as ``▁``, unknown characters fall to bytes:
    every string encodes and decodes exactly.
    """
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    unknown = vocabulary.pieces[next((i for i, kind in enumerate(vocabulary.kinds) if kind == UNKNOWN), 3)]
    tokenizer = Tokenizer(
        models.BPE(vocab=ids, merges=merges(vocabulary), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(
        [AddedToken(piece, special=True, normalized=False) for piece in _of_kind(vocabulary, CONTROL, UNKNOWN)]
    )
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in _of_kind(vocabulary, USER_DEFINED)])
    return tokenizer


def _of_kind(vocabulary: Vocabulary, *kinds: int) -> list[str]:
    return [piece for piece, kind in zip(vocabulary.pieces, vocabulary.kinds, strict=True) if kind in kinds]
