"""What a page shows beside the report's figures: it quotes people, and is never logged."""

from dataclasses import dataclass, field
from typing import NamedTuple

from manera.evaluation.copying import Nearest
from manera.evaluation.intervals import Interval
from manera.evaluation.ladder import Verdict


class DialPoint(NamedTuple):
    """One setting of the dial: bits per byte of the author's held-out text and of general text; how like
    the author it is what is written there, and the share of its words that is copied, where it was written on."""

    voice_scale: float
    own: float
    general: float
    likeness: float | None = None
    copied: float | None = None


class CurvePoint(NamedTuple):
    """So many words of training text, and the bits per byte of held-out text after them."""

    words: int
    bits_per_byte: Interval


class SideBySide(NamedTuple):
    """One held-out prompt, what base and voice write on it, and what the person really wrote."""

    prompt: str
    base: str
    voice: str
    real: str


@dataclass
class Findings:
    """What is drawn and quoted, as the parts of an evaluation find it."""

    verdict: Verdict | None = None
    others: list[str] = field(default_factory=list)
    rungs: dict[str, Interval] = field(default_factory=dict)
    dial: list[DialPoint] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    shown: list[SideBySide] = field(default_factory=list)
    parroted: list[tuple[str, Nearest]] = field(default_factory=list)
    message_lengths: dict[str, list[int]] = field(default_factory=dict)
