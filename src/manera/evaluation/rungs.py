"""The rungs of the ladder: ways to have texts like the author's, without training and with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from manera.dataset.encoding import Encoder
from manera.evaluation.voice_dataset import own_writing
from manera.records import Example, ExampleKind
from manera.retrieval.examples import Retriever
from manera.text.habits import emoji
from manera.text.languages import language_of
from manera.text.words import words

RETRIEVED = 4
RETRIEVED_TOKENS = 320


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
            return encoder.text(self.note + "\n\n")
        if rung.retrieval:
            return self.retriever.shown(asked, self.kind, encoder, RETRIEVED, RETRIEVED_TOKENS)
        return []


def persona_note(name: str, training: Sequence[Example]) -> str:
    """Describe the author in a few sentences, from the training text alone."""
    texts = [text for talk in own_writing(training) for text in talk]
    counts = [len(words(text)) for text in texts]
    lower = np.mean([text[:1].islower() for text in texts]) > 0.5
    with_emoji = sum(len(emoji(text)) for text in texts) / len(texts) > 0.1
    size = round(float(np.median(counts)))
    if language_of(texts) == "ru":
        facts = [f"Дальше пишет {name}.", f"Обычно в одном сообщении или абзаце слов: {size}."]
        facts += ["Начинает со строчной буквы."] * bool(lower) + ["Любит эмодзи."] * bool(with_emoji)
    else:
        facts = [f"What follows is written by {name}.", f"A message or paragraph usually has {size} words."]
        facts += ["Begins with a small letter."] * bool(lower) + ["Likes emoji."] * bool(with_emoji)
    return " ".join(facts)
