"""Which tokens a trimmed base keeps: chosen by language, never by corpus, so that voices share it."""

import unicodedata
from collections.abc import Collection, Iterable
from importlib.resources import files
from itertools import pairwise

from manera.bases.tokenizer import BYTE, NORMAL, SPACE, USER_DEFINED, Vocabulary
from manera.errors import ModelError

DEFAULT_LANGUAGES = ("ru", "en")
_LISTS = files("manera.bases") / "vocabularies"


def known_languages() -> list[str]:
    """List the languages whose token list is part of manera."""
    return sorted(entry.name.removesuffix(".txt") for entry in _LISTS.iterdir() if entry.name.endswith(".txt"))


def language_tokens(language: str) -> list[int]:
    """Read a committed list of the built-in base's token ids; raise ModelError for an unknown language."""
    listed = _LISTS / f"{language}.txt"
    if not listed.is_file():
        raise ModelError(f"no token list for language {language!r}", f"known languages: {', '.join(known_languages())}")
    lines = listed.read_text("ascii").splitlines()
    return [int(index) for line in lines if not line.startswith("#") for index in line.split()]


def kept_tokens(vocabulary: Vocabulary, languages: Collection[str]) -> list[int]:
    """List, in order, the token ids that a base trimmed to these languages keeps.

    Special and byte tokens, punctuation and emoji, the languages' tokens, and every piece that
    merging those passes through. Text made of kept tokens therefore encodes to the same tokens as before;
    any other text falls to smaller pieces and, at last, to bytes.
    """
    wanted = {index for index in range(len(vocabulary.pieces)) if _is_always_kept(vocabulary, index)}
    for language in languages:
        wanted.update(language_tokens(language))
    return sorted(_closed_under_merging(vocabulary, wanted))


def _is_always_kept(vocabulary: Vocabulary, index: int) -> bool:
    piece, kind = vocabulary.pieces[index], vocabulary.kinds[index]
    if kind in (BYTE, USER_DEFINED):
        return True
    if kind != NORMAL:
        return not piece.startswith("<unused")
    return len(piece) <= 4 and all(_is_common_symbol(character) for character in piece)


def _is_common_symbol(character: str) -> bool:
    if character == SPACE:
        return True
    category = unicodedata.category(character)
    if ord(character) < 0x250 or 0x2000 <= ord(character) < 0x2100:  # Latin punctuation, dashes, quotation marks
        return category[0] in "PSN"
    return category in ("So", "Sk") and ord(character) >= 0x2190  # arrows, dingbats, emoji


def _closed_under_merging(vocabulary: Vocabulary, wanted: Iterable[int]) -> set[int]:
    """Add the pieces that the best-first merging of each wanted piece passes through."""
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces) if vocabulary.kinds[index] == NORMAL}
    closed: set[int] = set()
    for index in wanted:
        closed.add(index)
        if vocabulary.kinds[index] == NORMAL:
            closed.update(ids[piece] for piece in _intermediate_pieces(vocabulary.pieces[index], ids, vocabulary))
    return closed


def _intermediate_pieces(piece: str, ids: dict[str, int], vocabulary: Vocabulary) -> set[str]:
    """Return what lies between a piece's characters and the piece itself when it is merged.

    In the order of ``tokenizer.merges``: of several ways to the same union, the one with the shortest left part.
    """
    parts = list(piece)
    seen = {part for part in parts if part in ids}
    while len(parts) > 1:
        unions = [
            (vocabulary.scores[ids[a + b]], -len(a), -i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ids
        ]
        if not unions:
            break  # a piece that merging never reaches, such as one that SentencePiece added by hand
        at = -max(unions)[2]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        seen.add(parts[at])
    return seen
