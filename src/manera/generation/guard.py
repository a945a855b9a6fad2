"""What a reply may not be: a copy of the training text, in a foreign script, a filler, the other side's words."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from manera.bases.tokenizer import token_bytes
from manera.dataset.encoding import Encoder
from manera.dataset.template import ChatTemplate, render
from manera.records import Message
from manera.text.languages import script
from manera.text.words import words

RUN_WORDS = 12
"""A reply may not have this many words in a row in common with the training text."""

_HASH_BASE = 0x9E3779B97F4A7C15
_HASHES = 1 << 64
_FIRST_BYTES = 0xC0
"""From here on, bytes begin a character of several."""


class Guard:
    """What one voice may not write; everything is worked out from its training text on first use, and then kept.

    texts: tells what the persona wrote. fillers: phrases that are never to be written, in any case.
    Words are compared without case and punctuation. Any number of threads may share it.
    """

    def __init__(
        self, encoder: Encoder, texts: Callable[[], Iterable[str]] = tuple, fillers: Sequence[str] = ()
    ) -> None:
        self.encoder = encoder
        self.headers = turn_headers(encoder.template)
        self.fillers = re.compile("|".join(map(re.escape, fillers)), re.IGNORECASE) if fillers else None
        self.filler_beginnings = frozenset(filler[:end].lower() for filler in fillers for end in range(1, len(filler)))
        self.longest_filler = max(map(len, fillers), default=0)
        self._texts = texts

    @cached_property
    def _known(self) -> "_Known":
        texts = list(self._texts())
        beginnings, runs = _runs(texts)
        letters = set().union(*texts)
        return _Known(beginnings, runs, frozenset(map(script, letters)) | {None}, _first_bytes(letters))

    def is_copied(self, run: int) -> bool:
        """Tell whether the training text holds a run of RUN_WORDS words with this hash."""
        return _contains(self._known.runs, run)

    def may_be_copied(self, beginning: int) -> bool:
        """Tell whether a run of the training text begins with the RUN_WORDS - 1 words of this hash."""
        return _contains(self._known.beginnings, beginning)

    def foreign(self, text: str) -> str | None:
        """Return the first character of a script that the training text never uses."""
        if text.isascii() and "LATIN" in self._known.scripts:
            return None
        return next((character for character in text if not self.allows(character)), None)

    def allows(self, character: str) -> bool:
        """Tell whether the training text uses this character's script; without training text all are allowed."""
        return script(character) in self._known.scripts or self._known.scripts == {None}

    @cached_property
    def foreign_tokens(self) -> tuple[int, ...]:
        """The tokens of all scripts that the training text never uses; bytes that begin none of its characters."""
        pieces = _Pieces.of(self.encoder.tokenizer)
        begin = self._known.first_bytes
        unused = (
            token for part, token in pieces.partial if any(byte >= _FIRST_BYTES and byte not in begin for byte in part)
        )
        return tuple(token for piece, token in pieces.ordered if self.foreign(piece) is not None) + tuple(unused)

    def ways_to_write(self, text: str) -> list[int]:
        """Return every token with which writing this text, in any case, can begin."""
        return _Pieces.of(self.encoder.tokenizer).beginning(text)


class _Known(NamedTuple):
    """What is asked of a training text: sorted hashes, scripts, and the first UTF-8 bytes of its characters."""

    beginnings: NDArray[np.uint64]
    runs: NDArray[np.uint64]
    scripts: frozenset[str | None]
    first_bytes: frozenset[int]


def word_hash(word: str) -> int:
    """Hash a word, given as it is compared; the same within one process only."""
    return hash(word) % _HASHES


def run_hash(hashes: Sequence[int]) -> int:
    """Hash a run of words by their hashes: a polynomial modulo 2^64."""
    total = 0
    for one in hashes:
        total = (total * _HASH_BASE + one) % _HASHES
    return total


def _runs(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hash all runs of RUN_WORDS words, and of one word less where one more follows; each sorted."""
    split = [words(text) for text in texts]
    hashes = np.fromiter((hash(word) for of_text in split for word in of_text), np.int64).view(np.uint64)
    text_of_word = np.repeat(np.arange(len(split)), [len(of_text) for of_text in split])
    starts = max(0, len(hashes) - RUN_WORDS + 1)
    within = text_of_word[:starts] == text_of_word[len(hashes) - starts :]
    run = np.zeros(starts, np.uint64)
    for place in range(RUN_WORDS - 1):
        run = run * np.uint64(_HASH_BASE) + hashes[place : place + starts]
    whole = run * np.uint64(_HASH_BASE) + hashes[RUN_WORDS - 1 : RUN_WORDS - 1 + starts]
    return np.unique(run[within]), np.unique(whole[within])


def _contains(ordered: NDArray[np.uint64], value: int) -> bool:
    wanted = np.uint64(value)
    place = int(ordered.searchsorted(wanted))
    return place < len(ordered) and bool(ordered[place] == wanted)


def _first_bytes(characters: Iterable[str]) -> frozenset[int]:
    return frozenset(character.encode("utf-8", "replace")[0] for character in characters)


def turn_headers(template: ChatTemplate) -> tuple[str, ...]:
    """Return what a template writes, as text, between the persona's turn and the next one of either side."""
    headers = []
    for role in ("user", "assistant"):
        rendered = render(template, [Message("assistant", "1"), Message(role, "2")])
        between = "".join(piece.text for piece in rendered[[piece.message for piece in rendered].index(0) + 1 :])
        header = between.partition("2")[0].removeprefix(template.end_of_turn)
        if header.startswith("\n") and header.strip() and "<" not in header:
            headers.append(header)
    return tuple(headers)


class _Pieces(NamedTuple):
    """What a vocabulary's tokens write: as text without case, in order; and those that end within a character."""

    ordered: list[tuple[str, int]]
    partial: list[tuple[bytes, int]]

    @staticmethod
    @lru_cache(maxsize=4)
    def of(tokenizer: Tokenizer) -> "_Pieces":
        ordered, partial = [], []
        for token, written in token_bytes(tokenizer).items():
            try:
                ordered.append((written.decode().casefold(), token))
            except UnicodeDecodeError:
                partial.append((written, token))
        return _Pieces(sorted(ordered), partial)

    def beginning(self, text: str) -> list[int]:
        """Return the tokens that begin this text or hold it as whole words, and those of parts of its characters."""
        folded = text.casefold()
        tokens = [token for end in range(1, len(folded) + 1) for token in self._exactly(folded[:end])]
        longer = islice(self.ordered, bisect_left(self.ordered, (folded + "\0", -1)), None)
        for piece, token in longer:
            if not piece.startswith(folded):
                break
            if not piece[len(folded)].isalnum():
                tokens.append(token)
        cases = [one.encode("utf-8", "replace") for one in {text, text.lower(), text.upper(), text.title()}]
        return tokens + [token for part, token in self.partial if any(case.startswith(part) for case in cases)]

    def _exactly(self, wanted: str) -> Iterator[int]:
        for piece, token in islice(self.ordered, bisect_left(self.ordered, (wanted, -1)), None):
            if piece != wanted:
                return
            yield token
