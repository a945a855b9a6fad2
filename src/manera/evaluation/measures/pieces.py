"""Writing cut into pieces of about one length, which authorship is judged by."""

from collections.abc import Sequence
from typing import NamedTuple

from manera.records import ExampleKind
from manera.text.habits import Piece

ENOUGH_PIECES = 60
OVERLAP = 4

Writing = Sequence[Sequence[str]]
"""What one author wrote: conversations or works, each as messages or paragraphs."""


class Size(NamedTuple):
    """A piece is full when it has so many messages or so many words."""

    messages: int | None = None
    words: int = 1000


SIZES: dict[ExampleKind, Size] = {
    "dialogue": Size(messages=20),
    "post": Size(words=100),
    "continuation": Size(words=100),
}


class Cut(NamedTuple):
    """Pieces in order, and at which message each began."""

    pieces: list[Piece]
    starts: list[int]


def cut(writing: Writing, size: Size) -> Cut:
    """Cut writing into full pieces; a paragraph longer than what is left is cut between words."""
    return _cut([text for texts in writing for text in texts], size, first=0)


def cut_to_learn(writing: Writing, size: Size) -> Cut:
    """Cut writing into pieces to train on: where there are few, into overlapping ones too."""
    texts = [text for talk in writing for text in talk]
    plain = _cut(texts, size, first=0)
    if not plain.pieces or len(plain.pieces) >= ENOUGH_PIECES:
        return plain
    messages = max(1, plain.starts[1] // OVERLAP) if len(plain.starts) > 1 else 1
    shifted = [_cut(texts, size, first=shift * messages) for shift in range(OVERLAP)]
    pairs = sorted((start, piece) for made in shifted for piece, start in zip(*made, strict=True))
    return Cut([piece for _, piece in pairs], [start for start, _ in pairs])


def _cut(texts: Sequence[str], size: Size, first: int) -> Cut:
    made = Cut([], [])
    piece: list[str] = []
    room, began = size.words, first
    for index, text in enumerate(texts[first:], start=first):
        left = text.split(" ")
        while left:
            began = began if piece else index
            piece.append(" ".join(left[:room]))
            left, room = left[room:], room - min(room, len(left))
            if not room or len(piece) == size.messages:
                made.pieces.append(tuple(piece))
                made.starts.append(began)
                piece, room = [], size.words
    return made
