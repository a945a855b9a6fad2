"""Which tokens a trimmed base keeps: chosen by language, never by corpus, so that voices share it."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

from manera.bases.tokenizer import BYTE, NORMAL, SPACE, USER_DEFINED, Vocabulary, byte_of_letter
from manera.errors import ModelError

_LISTS = files("manera.bases") / "vocabularies"
FINGERPRINT = "# sha256 of how they are written: "


def known_languages(base: str) -> list[str]:
    """List the languages for which a base's tokens are known."""
    folder = _LISTS / base
    return sorted(entry.name.removesuffix(".txt") for entry in folder.iterdir()) if folder.is_dir() else []


def language_tokens(base: str, language: str) -> list[int]:
    """Read a committed list of a base's token ids; raise ModelError for a language that it has no list of."""
    listed = _LISTS / base / f"{language}.txt"
    if not listed.is_file():
        known = ", ".join(known_languages(base))
        raise ModelError(f"{base} has no token list for language {language!r}", f"its languages: {known}")
    lines = listed.read_text("ascii").splitlines()
    return [int(index) for line in lines if not line.startswith("#") for index in line.split()]


def listed_tokens(vocabulary: Vocabulary, language: str) -> list[int] | None:
    """Return a vocabulary's tokens of a language, where there is a list of this very one: many bases share theirs."""
    for folder in sorted(_LISTS.iterdir(), key=lambda entry: entry.name):
        if language in known_languages(folder.name):
            tokens = language_tokens(folder.name, language)
            if FINGERPRINT + tokens_sha256(vocabulary, tokens) in (folder / f"{language}.txt").read_text("ascii"):
                return tokens
    return None


def lists_sha256(language: str) -> str:
    """Hash every list of a language."""
    lists = [folder / f"{language}.txt" for folder in sorted(_LISTS.iterdir(), key=lambda entry: entry.name)]
    return hashlib.sha256(b"\0".join(listed.read_bytes() for listed in lists if listed.is_file())).hexdigest()


def tokens_sha256(vocabulary: Vocabulary, tokens: Sequence[int]) -> str:
    """Hash how some tokens are written, which tells whether they are those of another vocabulary as well."""
    pieces = [vocabulary.pieces[index] for index in tokens if index < len(vocabulary.pieces)]
    return hashlib.sha256("\0".join(pieces).encode()).hexdigest()


def kept_tokens(vocabulary: Vocabulary, tokens: Iterable[int]) -> list[int]:
    """List, in order, the token ids that a base trimmed to some languages' tokens keeps.

    Special and byte tokens, punctuation and emoji, the languages' tokens, and every piece that
    merging those passes through. Text made of kept tokens therefore encodes to the same tokens as before;
    any other text falls to smaller pieces and, at last, to bytes.
    """
    wanted = {index for index in range(len(vocabulary.pieces)) if _is_always_kept(vocabulary, index)}
    return sorted(_closed_under_merging(vocabulary, wanted.union(tokens)))


def _is_always_kept(vocabulary: Vocabulary, index: int) -> bool:
    piece, kind = vocabulary.pieces[index], vocabulary.kinds[index]
    if kind in (BYTE, USER_DEFINED):
        return True
    if kind != NORMAL:
        return not piece.startswith("<unused")
    if vocabulary.merges:
        return len(piece) == 1 or _is_symbols_of_bytes(piece)
    return len(piece) <= 4 and all(_is_common_symbol(character) for character in piece)


def _is_symbols_of_bytes(piece: str) -> bool:
    """Tell whether a piece of byte-level BPE writes a few whole symbols."""
    letters = byte_of_letter()
    try:
        text = bytes(letters[letter] for letter in piece).decode()
    except UnicodeDecodeError:
        return False
    return len(text) <= 4 and all(character == " " or _is_common_symbol(character) for character in text)


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
    if vocabulary.merges:
        return _closed_under_parts(vocabulary.parts, ids, vocabulary, wanted)
    closed: set[int] = set()
    for index in wanted:
        closed.add(index)
        if vocabulary.kinds[index] == NORMAL:
            closed.update(ids[piece] for piece in _intermediate_pieces(vocabulary.pieces[index], ids, vocabulary))
    return closed


def _closed_under_parts(
    parts: dict[str, tuple[str, str]], ids: dict[str, int], vocabulary: Vocabulary, wanted: Iterable[int]
) -> set[int]:
    """Add what each piece of byte-level BPE is merged from, and that again."""
    closed: set[int] = set()
    open_ = list(wanted)
    while open_:
        index = open_.pop()
        if index not in closed:
            closed.add(index)
            open_ += [ids[part] for part in parts.get(vocabulary.pieces[index], ())]
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
