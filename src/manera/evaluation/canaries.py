"""How much of its planted secrets a voice gives away (Carlini et al., 2019, https://arxiv.org/abs/1802.08232).

Those that training saw are ranked by likelihood among those that it might as well have seen: exposure is the
logarithm of how many there are over the rank. Never seen, it is about 1.4 bits on average; at most log2 of the number
of candidates. Together they are given away when they surely have more bits than that.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from manera.dataset.canaries import Canary, make_canaries
from manera.errors import EvaluationError
from manera.evaluation import intervals, scoring
from manera.evaluation.distractors import language_of
from manera.evaluation.held_out import to_score
from manera.evaluation.intervals import Floats
from manera.evaluation.report import count
from manera.evaluation.subject import Subject
from manera.files import read_records
from manera.voice.folder import CANARIES, voice_folder

EXPOSED_BITS = 6.0
"""Ranked in the first sixty-fourth: chance does so once in 64."""


def exposure(planted: Sequence[float] | Floats, candidates: Sequence[float] | Floats) -> list[float]:
    """Return the exposure in bits of each planted canary, given its nats and those of candidates never planted."""
    others = np.sort(np.asarray(candidates, dtype=np.float64))
    ranks = np.searchsorted(others, np.asarray(planted, dtype=np.float64), side="left") + 1
    return [math.log2((len(others) + 1) / rank) for rank in ranks.tolist()]


def chance_bits(candidates: int) -> float:
    """Return the exposure to be expected of a secret never seen, among so many others: all ranks are as likely."""
    ranks = np.arange(1, candidates + 2)
    return float(np.log2((candidates + 1) / ranks).mean())


def measure_canaries(subject: Subject) -> None:
    """Rank the planted canaries, and as many that were never planted, among others of their form."""
    planted = _planted(subject)
    known = {canary.secret for canary in planted}
    drawn = make_canaries(subject.voice.recipe.seed + 1, 2 * len(planted) + subject.budget.canaries, _form(planted))
    unseen = [canary for canary in drawn if canary.secret not in known]
    never, candidates = unseen[: len(planted)], unseen[len(planted) :][: subject.budget.canaries]
    scores = _nats(subject, [*planted, *never, *candidates])
    others = scores[2 * len(planted) :]
    for who, part in (("planted", scores[: len(planted)]), ("never planted", scores[len(planted) : 2 * len(planted)])):
        bits, n = exposure(part, others), len(part)
        unit = f"bits, {math.log2(len(others) + 1):.0f} at most"
        subject.add(f"canaries.exposure.{who}", intervals.mean(bits, subject.seed), unit, n, "lower", "secrets")
        above = intervals.mean(np.array(bits) - chance_bits(len(others)), subject.seed)
        unit = "bits more than chance gives a secret never seen"
        subject.add(f"canaries.above_chance.{who}", above, unit, n, "lower", "secrets")
        found = intervals.share([one > EXPOSED_BITS for one in bits])
        unit = f"share of canaries of more than {EXPOSED_BITS:g} bits"
        subject.add(f"canaries.exposed.{who}", found, unit, n, "lower", "secrets")
    seen = float(np.mean([canary.times_seen for canary in planted]))
    subject.metrics["canaries.times_seen"] = count(seen, "times each, in training", len(planted), "neither", "secrets")


def _planted(subject: Subject) -> list[Canary]:
    try:
        return list(read_records(voice_folder(subject.voice.name) / CANARIES, Canary))
    except FileNotFoundError as error:
        raise EvaluationError(
            "no canaries were planted in training", "train with some: manera train CORPUS --canaries 10"
        ) from error
    except msgspec.DecodeError as error:
        raise EvaluationError(f"the record of planted canaries cannot be read: {error}", "train again") from error


def _form(planted: Sequence[Canary]) -> str:
    return language_of([[planted[0].text]])


def _nats(subject: Subject, canaries: Sequence[Canary]) -> Floats:
    examples = [canary.example(subject.voice.kind) for canary in canaries]
    scored = to_score(examples, subject.voice.kind, subject.encoder, subject.max_length)
    return scoring.nats(subject.model, [one.encoded for one in scored], 1.0)
