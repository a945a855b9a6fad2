"""The ladder: what can be had without training, and with it, on the same held-out turns; and the gate at its top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from manera.dataset.encoding import Encoder
from manera.evaluation import intervals
from manera.evaluation.distractors import language_of, own_writing
from manera.evaluation.held_out import Material, Scored, after_prefix
from manera.evaluation.intervals import Groups, Interval
from manera.evaluation.retrieval import Retriever
from manera.evaluation.scoring import nats
from manera.evaluation.style import pictures, words

RETRIEVED = 4
RETRIEVED_TOKENS = 320
BITS = 1 / np.log(2)

Floats = NDArray[np.float64]


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


class Prefixes(NamedTuple):
    """What a rung reads before the prompt."""

    material: Material
    retriever: Retriever
    note: str

    def of(self, rung: Rung, asked: str, encoder: Encoder) -> list[int]:
        """Encode it without a BOS; nothing for a bare rung."""
        if rung.note:
            return encoder.text(self.note + "\n\n")
        if rung.retrieval:
            kind = self.material.voice.kind
            return self.retriever.shown(asked, kind, encoder, RETRIEVED, RETRIEVED_TOKENS)
        return []


def score(rung: Rung, model: nn.Module, stretches: Sequence[Scored], prefixes: Prefixes, encoder: Encoder) -> Floats:
    """Return the bits of each held-out stretch on one rung."""
    encoded = [after_prefix(one, prefixes.of(rung, one.asked, encoder)) for one in stretches]
    bits: Floats = nats(model, encoded, rung.voice_scale) * BITS
    return bits


def persona_note(material: Material) -> str:
    """Describe the author in a few sentences, from the training text alone."""
    texts = [text for talk in own_writing(material.training) for text in talk]
    counts = [len(words(text)) for text in texts]
    lower = np.mean([text[:1].islower() for text in texts]) > 0.5
    with_emoji = sum(len(pictures(text)) for text in texts) / len(texts) > 0.1
    size = round(float(np.median(counts)))
    name = material.voice.persona.name
    if language_of([texts]) == "ru":
        facts = [f"Дальше пишет {name}.", f"Обычно в одном сообщении или абзаце слов: {size}."]
        facts += ["Начинает со строчной буквы."] * bool(lower) + ["Любит эмодзи."] * bool(with_emoji)
    else:
        facts = [f"What follows is written by {name}.", f"A message or paragraph usually has {size} words."]
        facts += ["Begins with a small letter."] * bool(lower) + ["Likes emoji."] * bool(with_emoji)
    return " ".join(facts)


Reason = Literal["better", "no better", "other words"]

BECAUSE: dict[str, dict[Reason, str]] = {
    "en": {
        "better": "the {trained} beats the best rung without training, {untrained}, on held-out text: {difference}",
        "no better": "the {trained} does not surely beat the best rung without training, {untrained}, on held-out "
        "text: {difference}",
        "other words": "the {trained} beats the best rung without training, {untrained}, but not surely because it "
        "learned this text: its gain there is {knowledge} larger than on text it never saw, as if it had learned "
        "other words",
    },
    "ru": {
        "better": "на отложенном тексте «{trained}» лучше всего, что даётся без обучения ({untrained}): {difference}",
        "no better": "на отложенном тексте «{trained}» не лучше наверняка того, что даётся без обучения ({untrained}): "
        "{difference}",
        "other words": "«{trained}» лучше всего, что даётся без обучения ({untrained}), но не наверняка потому, что "
        "учился на этом тексте: выигрыш на нём больше, чем на незнакомом, на {knowledge}, как если бы он учился на "
        "других словах",
    },
}
UNIT = {"en": ("bits per byte", "95 % interval"), "ru": ("бит на байт", "интервал 95 %")}


class Verdict(NamedTuple):
    """Whether a voice is worth having, and the figures that say so, in bits per byte; below 0 the voice is better.

    knowledge is None where it was not asked.
    """

    reason: Reason
    trained: str
    untrained: str
    difference: Interval
    knowledge: Interval | None

    @property
    def recommended(self) -> bool:
        """Only a voice that is surely better is."""
        return self.reason == "better"

    def because(self, language: str, names: Mapping[str, str] | None = None) -> str:
        """Say why, in Russian or English, with other names for the rungs if there are any."""
        trained, untrained = ((names or {}).get(rung, rung) for rung in (self.trained, self.untrained))
        figures = {
            name: _told(found, language)
            for name, found in {"difference": self.difference, "knowledge": self.knowledge}.items()
            if found is not None
        }
        return BECAUSE[language][self.reason].format(trained=trained, untrained=untrained, **figures)


def _told(found: Interval, language: str) -> str:
    """Write a difference with its interval; one stretch alone has none."""
    unit, interval = UNIT[language]
    bounds = f", {interval} {found.low:+.3f} … {found.high:+.3f}" if np.isfinite(found.low) else ""
    return f"{found.value:+.3f} {unit}{bounds}"


def gate(
    bits: Mapping[str, Floats],
    sizes: Sequence[int],
    knowledge: Interval | None,
    seed: int = 0,
    groups: Groups | None = None,
) -> Verdict:
    """Recommend a voice only where it surely beats everything that needs no training.

    bits: of each stretch by rung. groups: the conversation of each stretch. knowledge: how many bits per byte the
    adapter gains more on its own training text than on held-out text; an adapter that learned another author gains
    nothing more there. None where it is known what the adapter learned.
    """
    untrained = min((rung.name for rung in RUNGS if not rung.voice_scale), key=lambda name: bits[name].sum())
    trained = min((rung.name for rung in RUNGS if rung.voice_scale), key=lambda name: bits[name].sum())
    found = intervals.ratio(bits[trained] - bits[untrained], sizes, seed, groups)
    reason: Reason = "better"
    if not found.high < 0:
        reason = "no better"
    elif knowledge is not None and not knowledge.low > 0:
        reason = "other words"
    return Verdict(reason, trained, untrained, found, knowledge)
