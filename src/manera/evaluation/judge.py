"""Who says how like the author a text is: a verifier and Burrows's Delta, trained on the author against others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from manera.dataset.examples import messages_of
from manera.evaluation.asked import Task
from manera.evaluation.measures.delta import Delta, fit_delta
from manera.evaluation.measures.pieces import SIZES, Size, Writing, cut, cut_to_learn
from manera.evaluation.measures.verifier import Verifier, train_verifier
from manera.evaluation.voice_dataset import own_writing
from manera.records import Example, ExampleKind
from manera.text.habits import Piece

MIN_BUNDLES = 6
MIN_BUNDLE = 5
"""Messages of a bundle at least, and how many bundles the held-out messages should make."""


class Judge(NamedTuple):
    """A verifier and a Delta, the size of the pieces that they read, and whom they tell the author from."""

    verifier: Verifier
    delta: Delta
    size: Size
    others: Sequence[str]

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """Cut texts into pieces, message by message."""
        return cut([messages_of(text) for text in texts], self.size).pieces


def train_judge(
    training: Sequence[Example],
    others: Mapping[str, Writing],
    kind: ExampleKind,
    tasks: Sequence[Task],
    max_pieces: int,
) -> Judge:
    """Learn to tell the author from others. tasks: what is to be judged, which decides the size of the pieces."""
    size = _piece_size(SIZES[kind], [messages_of(task.reply) for task in tasks])
    own = cut_to_learn(own_writing(training), size)
    foreign = {name: cut_to_learn(writing, size) for name, writing in others.items()}
    verifier = train_verifier(own, foreign, max_pieces=max_pieces)
    known = {"author": own.pieces, **{name: other.pieces for name, other in foreign.items() if other.pieces}}
    return Judge(verifier, fit_delta(known), size, list(others))


def _piece_size(size: Size, real: Sequence[Sequence[str]]) -> Size:
    """Make bundles smaller where full ones would be too few to tell anything."""
    if size.messages is None:
        return size
    total = sum(map(len, real))
    return size._replace(messages=max(MIN_BUNDLE, min(size.messages, total // MIN_BUNDLES)))
