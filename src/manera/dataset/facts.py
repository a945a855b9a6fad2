"""What a text says that may not change when it is said in another way: its names, numbers and addresses."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from manera.dataset.lexing import is_number, is_word, names, pieces
from manera.text.stems import content_stems

ADDRESS = re.compile(r"\b\w+://[^\s)>\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<!\w)@\w+")


class Compared(NamedTuple):
    """Facts of a text as they are written there: those that another text has too, and those that it lacks.

    added: facts of the other text that this one does not have.
    """

    kept: list[str]
    lost: list[str]
    added: list[str]

    @property
    def share_kept(self) -> float:
        """How much of the facts is there; 1 of none."""
        facts = len(self.kept) + len(self.lost)
        return len(self.kept) / facts if facts else 1.0

    @property
    def share_wrong(self) -> float:
        """How many of all facts of both texts are lost or added; 0 of none."""
        wrong = len(self.lost) + len(self.added)
        return wrong / (len(self.kept) + wrong) if wrong else 0.0


def facts(text: str) -> dict[str, str]:
    """Return names by their stems, numbers and addresses, each with how it is first written.

    A name is a word with a capital within a sentence, or an abbreviation: at the beginning of one, nothing tells.
    """
    without = ADDRESS.sub(" … ", text)
    found = pieces(without)
    named = names([found])
    kept: dict[str, str] = {address: address for address in ADDRESS.findall(text)}
    for piece in found:
        if is_number(piece):
            kept.setdefault(_number(piece), _number(piece))
        elif is_word(piece) and piece[0].isupper() and (piece.lower() in named or (piece.isupper() and len(piece) > 1)):
            kept.setdefault(_stem(piece), piece)
    return kept


def compared(text: str, other: str) -> Compared:
    """Look which facts of a text are in another one too, in whatever form of the word."""
    wanted, there, here = facts(text), _all(other), _all(text)
    return Compared(
        [written for key, written in wanted.items() if key in there],
        [written for key, written in wanted.items() if key not in there],
        [written for key, written in facts(other).items() if key not in here],
    )


def _all(text: str) -> Mapping[str, str]:
    """Return the facts of a text, and the stems of all its words: a name may stand where it does not look like one."""
    return facts(text) | {_stem(piece): piece for piece in pieces(text) if is_word(piece)}


def _number(piece: str) -> str:
    return piece.strip(".,:")


def _stem(word: str) -> str:
    return next(iter(content_stems(word)), word.lower())
