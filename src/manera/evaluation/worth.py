"""Was training worth it: the ladder climbed by one voice, and its gate asked."""

from collections.abc import Sequence

import numpy as np

from manera.dataset.encoding import Encoder
from manera.errors import EvaluationError
from manera.evaluation import intervals, ladder, scoring
from manera.evaluation.distractors import SAME_AUTHOR_SHARE, long_texts, own_writing
from manera.evaluation.held_out import Scored, read_part
from manera.evaluation.intervals import Floats, Interval, Sums
from manera.evaluation.ladder import BITS, RUNGS, Rung, Verdict
from manera.evaluation.likeness import area_under_curve
from manera.evaluation.report import AGAINST
from manera.evaluation.subject import BASE, VOICE, Subject
from manera.records import SplitName
from manera.voice.manifest import read_voice, require_base


def measure_ladder(subject: Subject, is_origin_known: bool = False) -> Verdict:
    """Score every rung on the same held-out stretches, and ask the gate.

    is_origin_known: for a voice that has just been trained here; else it is compared with its training text too.
    """
    most = subject.budget.scored_tokens
    held_out = {rung.name: subject.stretches(_encoder(subject, rung), most) for rung in RUNGS}
    sizes = [one.bytes for one in held_out[VOICE.name]]
    groups = [one.conversation for one in held_out[VOICE.name]]
    bits: dict[str, Floats] = {}
    for rung in RUNGS:
        bits[rung.name] = _bits(subject, rung, held_out[rung.name])
        found = intervals.ratio(bits[rung.name], sizes, subject.seed, groups)
        subject.findings.rungs[rung.name] = found
        subject.add(f"bits_per_byte.{rung.name}", found, "bits per byte", len(sizes), "lower", "stretches")
        tokens = [one.encoded.supervised_tokens for one in held_out[rung.name]]
        nats = intervals.ratio(bits[rung.name] / BITS, tokens, subject.seed, groups)
        perplexity = Interval(*np.exp(nats).tolist())
        subject.add(f"perplexity.{rung.name}", perplexity, "perplexity of a token", len(sizes), "lower", "stretches")
    knowledge = None if is_origin_known else measure_knowledge(subject)
    verdict = ladder.gate(bits, sizes, knowledge, subject.seed, groups)
    subject.findings.verdict = verdict
    return verdict


def _encoder(subject: Subject, rung: Rung) -> Encoder:
    return subject.encoder if rung.voice_scale else subject.plain


def _bits(subject: Subject, rung: Rung, stretches: Sequence[Scored]) -> Floats:
    return ladder.score(rung, subject.model, stretches, subject.prefixes, _encoder(subject, rung))


def measure_knowledge(subject: Subject) -> Interval:
    """Compare what the adapter gains on text it has read with what it gains on held-out text, in bits per byte."""
    sides = [_gains(subject, part) for part in ("train", "test")]
    found, n = intervals.difference(*sides), sum(len(side.groups) for side in sides)
    subject.add("memory.gain_on_training_text", found, "bits per byte", n, "neither", "stretches")
    membership = area_under_curve(*(side.numerators / side.denominators for side in sides))
    # an area varies no more than as many yes and no as the smaller side has (Birnbaum and Klose, 1957)
    apart = intervals.wilson(membership, min(len(set(side.groups)) for side in sides))
    subject.add("memory.membership_auc", apart, "area under the curve", n, "nearer 0.5", "stretches")
    return found


def _gains(subject: Subject, part: SplitName) -> Sums:
    """Score short stretches of a part with and without the adapter."""
    most = subject.budget.scored_tokens
    stretches = {rung.name: subject.short_stretches(part, _encoder(subject, rung), most) for rung in (BASE, VOICE)}
    base, voice = (_bits(subject, rung, stretches[rung.name]) for rung in (BASE, VOICE))
    scored = stretches[VOICE.name]
    sizes = np.array([float(one.bytes) for one in scored])
    return Sums(base - voice, sizes, [one.conversation for one in scored])


def measure_against(subject: Subject, name: str) -> None:
    """Score another voice on this one's held-out text; the base has its rung already."""
    if name == subject.voice.base.id:
        return
    other = read_voice(name)
    require_base(other, subject.voice.base)
    held_out = long_texts(own_writing(subject.material.test))
    learned = held_out & long_texts(own_writing(read_part(other, "train")))
    if len(learned) > SAME_AUTHOR_SHARE * len(held_out):
        raise EvaluationError(
            f"{name!r} learned {len(learned)} of the {len(held_out)} longer texts that are held out here",
            "compare with a voice that was trained on the same corpus",
        )
    template = other.template
    encoder = Encoder(subject.encoder.tokenizer, template)
    most = subject.budget.scored_tokens
    stretches = subject.stretches(encoder, most)
    model = scoring.load_model(subject.base, other)
    bits = scoring.nats(model, [one.encoded for one in stretches], 1.0) * BITS
    sizes = [one.bytes for one in stretches]
    found = intervals.ratio(bits, sizes, subject.seed, [one.conversation for one in stretches])
    subject.findings.rungs[f"against {name}"] = found
    subject.add(f"bits_per_byte.{AGAINST}.{name}", found, "bits per byte", len(sizes), "lower", "stretches")
