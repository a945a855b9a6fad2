"""Stretches of a voice's dataset to be scored: held-out ones, and those that it had read."""

import sys
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.evaluation.asked import PROMPT_WORDS, conversation_of
from manera.evaluation.encoders import Encoders
from manera.evaluation.measures.spread import within
from manera.evaluation.voice_dataset import VoiceDataset
from manera.records import Example, ExampleKind

SHORT = 128
"""Tokens of running text by which a page is known again: many short stretches tell more than a few long ones."""


class Stretch(NamedTuple):
    """A stretch to be scored: its conversation, as in ``Task``, its text before, its ids, and the bytes of what is
    supervised."""

    conversation: int
    asked: str
    encoded: Encoded
    bytes: int


class Stretches(NamedTuple):
    """The stretches of a voice's dataset, chosen by their places: the same ones in whatever template."""

    dataset: VoiceDataset
    encoders: Encoders

    def held_out(self, encoder: Encoder, max_tokens: int) -> list[Stretch]:
        """Return held-out stretches of so many tokens."""
        return self._chosen(self.dataset.test, encoder, max_tokens)

    def short_held_out(self, encoder: Encoder, max_tokens: int) -> list[Stretch]:
        """Return shorter, and so more, held-out stretches."""
        return self._chosen(self.dataset.test, encoder, max_tokens, longest=self._short)

    def short_training(self, encoder: Encoder, max_tokens: int, places: Sequence[int]) -> list[Stretch]:
        """Return shorter stretches of the training text, of those at these places."""
        return self._chosen(self.dataset.training, encoder, max_tokens, places, self._short)

    def places_but(self, places: Collection[int]) -> list[int]:
        """Return the places of all stretches of the training text but these."""
        kind, length = self.encoders.kind, self.encoders.max_length
        everything = cut_stretches(self.dataset.training, kind, self.encoders.voice, length)
        return [place for place in range(len(everything)) if place not in places]

    @property
    def _short(self) -> int:
        return SHORT if self.encoders.kind == "continuation" else sys.maxsize

    def _chosen(
        self,
        examples: Sequence[Example],
        encoder: Encoder,
        max_tokens: int,
        places: Sequence[int] | None = None,
        longest: int = sys.maxsize,
    ) -> list[Stretch]:
        kind, length = self.encoders.kind, self.encoders.max_length
        own, written = (cut_stretches(examples, kind, one, length) for one in (self.encoders.voice, encoder))
        everywhere = range(len(own)) if places is None else places
        sizes = {place: min(len(own[place].encoded.input_ids), longest) for place in everywhere}
        return [beginning(written[place], longest, encoder) for place in within(sizes, max_tokens)]


def cut_stretches(examples: Sequence[Example], kind: ExampleKind, encoder: Encoder, max_length: int) -> list[Stretch]:
    """Encode examples just as training encodes them."""
    if kind == "continuation":
        return list(_windows(examples, encoder, max_length))
    found = []
    for index, example in enumerate(examples):
        first = next(i for i, message in enumerate(example.messages) if message.is_learned)
        asked = example.messages[first - 1].content if first else ""
        size = sum(len(text.encode()) for text in example.targets)
        found.append(Stretch(conversation_of(example, index), asked, encoder.example(example), size))
    return found


def _windows(examples: Sequence[Example], encoder: Encoder, max_length: int) -> Iterator[Stretch]:
    number = 0
    for example in examples:
        before = ""
        for window in encoder.windows(example.messages[0].content, max_length):
            text = encoder.decode(window.input_ids)
            if text:
                yield Stretch(number, before, window, len(text.encode()))
                number += 1
            before = " ".join(text.split()[-PROMPT_WORDS:])


def beginning(stretch: Stretch, tokens: int, encoder: Encoder) -> Stretch:
    """Cut a stretch of running text down to its first tokens, if it has more."""
    if len(stretch.encoded.input_ids) <= tokens:
        return stretch
    encoded = Encoded(stretch.encoded.input_ids[:tokens], stretch.encoded.labels[:tokens])
    return stretch._replace(encoded=encoded, bytes=len(encoder.decode(encoded.input_ids).encode()))


def after_prefix(stretch: Stretch, prefix: Sequence[int]) -> Encoded:
    """Put something before a stretch that is read and not scored, behind the one BOS."""
    ids, labels = stretch.encoded.input_ids, stretch.encoded.labels
    return Encoded([ids[0], *prefix, *ids[1:]], [labels[0], *[IGNORE_INDEX] * len(prefix), *labels[1:]])
