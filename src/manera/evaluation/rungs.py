"""The rungs of the ladder: ways to have texts like the author's, without training and with it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from manera.corpus.description.habits import Tally
from manera.corpus.description.manner import MAX_BURST, manner_of
from manera.corpus.description.prompt import rules
from manera.dataset.encoding import Encoder
from manera.dataset.examples import messages_of
from manera.evaluation.measures.pieces import Writing
from manera.evaluation.voice_dataset import own_writing
from manera.records import Example, ExampleKind, UtteranceKind
from manera.retrieval.examples import Retriever
from manera.text.languages import language_of

RETRIEVED = 4
RETRIEVED_TOKENS = 320
NOTE_TOKENS = 320
_SAID: Mapping[ExampleKind, UtteranceKind] = {"dialogue": "message", "post": "post", "continuation": "prose"}


@dataclass(frozen=True)
class Rung:
    """One way to get such texts; voice_scale 0 is the untrained base."""

    name: str
    voice_scale: float
    note: bool = False
    retrieval: bool = False


RUNGS = (
    Rung("base", 0.0),
    Rung("base + note", 0.0, note=True),
    Rung("base + examples", 0.0, retrieval=True),
    Rung("voice", 1.0),
    Rung("voice + examples", 1.0, retrieval=True),
)
BASE, VOICE = RUNGS[0], RUNGS[3]
UNGUARDED = "voice without guard"


class Prefixes(NamedTuple):
    """What a rung reads before the prompt: a note about the author, or examples of theirs."""

    kind: ExampleKind
    retriever: Retriever
    note: str

    def of(self, rung: Rung, asked: str, encoder: Encoder) -> list[int]:
        """Encode it without a BOS; nothing for a bare rung."""
        if rung.note:
            return _told(self.note, encoder)
        if rung.retrieval:
            return self.retriever.shown(asked, self.kind, encoder, RETRIEVED, RETRIEVED_TOKENS)
        return []


def _told(note: str, encoder: Encoder) -> list[int]:
    """Encode as many lines of a note as fit: a vocabulary of another language takes many tokens for a word."""
    lines = note.splitlines()
    while len(tokens := encoder.text("\n".join(lines) + "\n\n")) > NOTE_TOKENS and len(lines) > 1:
        lines.pop()
    return tokens


def persona_note(name: str, kind: ExampleKind, training: Sequence[Example], others: Iterable[Writing]) -> str:
    """Say how an author writes as ``manera describe --prompt`` does, from the training text alone, quoting nothing."""
    own, foreign = Tally(), Tally()
    for tally, writings in ((own, [own_writing(training)]), (foreign, others)):
        for text in (text for writing in writings for talk in writing for text in talk):
            tally.count(text)
    language = language_of(text for talk in own_writing(training) for text in talk)
    return rules(manner_of(own, foreign, _bursts(kind, training), _SAID[kind], language), name)


def _bursts(kind: ExampleKind, training: Sequence[Example]) -> Sequence[int]:
    """Count the messages of turns; only talk has any."""
    if kind != "dialogue":
        return ()
    sizes = Counter(min(len(messages_of(target)), MAX_BURST) for example in training for target in example.targets)
    return [sizes[size] for size in range(1, MAX_BURST + 1)]
