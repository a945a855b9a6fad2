"""Was training worth it: the ladder climbed by one voice, and its gate asked."""

from collections.abc import Sequence

import numpy as np

from manera.dataset.encoding import Encoder
from manera.dataset.template import ChatTemplate
from manera.evaluation import intervals, ladder, scoring
from manera.evaluation.intervals import Floats, Interval
from manera.evaluation.ladder import BITS, RUNGS, Verdict
from manera.evaluation.likeness import area_under_curve
from manera.evaluation.subject import BASE, VOICE, Subject
from manera.model.voice import read_voice, require_base


def measure_ladder(subject: Subject) -> Verdict:
    """Score every rung on the same held-out stretches, ask the gate, and compare with the training text."""
    most = subject.budget.scored_tokens
    encoders = {rung.name: subject.encoder if rung.voice_scale else subject.plain for rung in RUNGS}
    held_out = {name: subject.stretches("test", encoder, most) for name, encoder in encoders.items()}
    sizes = [one.bytes for one in held_out[VOICE.name]]
    bits: dict[str, Floats] = {}
    for rung in RUNGS:
        encoder = encoders[rung.name]
        bits[rung.name] = ladder.score(rung, subject.model, held_out[rung.name], subject.prefixes, encoder)
        found = intervals.ratio(bits[rung.name], sizes, subject.seed)
        subject.findings.rungs[rung.name] = found
        subject.add(f"bits_per_byte.{rung.name}", found, "bits per byte", len(sizes), "lower", "stretches")
    seen = {rung.name: subject.stretches("train", encoders[rung.name], most) for rung in (BASE, VOICE)}
    learned = np.subtract(
        *(
            ladder.score(rung, subject.model, seen[rung.name], subject.prefixes, encoders[rung.name])
            for rung in (BASE, VOICE)
        )
    )
    knowledge = measure_knowledge(
        learned, [one.bytes for one in seen[VOICE.name]], bits[BASE.name] - bits[VOICE.name], sizes, subject
    )
    verdict = ladder.gate(bits, sizes, knowledge, subject.seed)
    subject.findings.verdict = verdict
    return verdict


def measure_knowledge(
    seen: Floats, seen_sizes: Sequence[int], unseen: Floats, unseen_sizes: Sequence[int], subject: Subject
) -> Interval:
    """Compare what the adapter gains on training text with what it gains on held-out text, in bits per byte."""
    border = len(seen)
    gains, sizes = np.concatenate([seen, unseen]), np.concatenate([seen_sizes, unseen_sizes]).astype(float)

    def curve(drawn: np.ndarray) -> float:
        per_byte = gains[drawn] / sizes[drawn]
        return area_under_curve(per_byte[drawn < border], per_byte[drawn >= border])

    def advantage(drawn: np.ndarray) -> float:
        own, other = drawn[drawn < border], drawn[drawn >= border]
        if not len(own) or not len(other):
            return float("nan")
        return float(gains[own].sum() / sizes[own].sum() - gains[other].sum() / sizes[other].sum())

    singles = range(len(gains))
    found = intervals.of_groups(singles, advantage, intervals.RESAMPLES, subject.seed)
    n = len(gains)
    subject.add("memory.gain_on_training_text", found, "bits per byte", n, "neither", "stretches")
    membership = intervals.of_groups(singles, curve, seed=subject.seed)
    subject.add("memory.membership_auc", membership, "area under the curve", n, "nearer 0.5", "stretches")
    return found


def measure_against(subject: Subject, name: str) -> None:
    """Score another voice on this one's held-out text; the base has its rung already."""
    if name == subject.voice.base.id:
        return
    other = read_voice(name)
    require_base(other, subject.voice.base)
    template = ChatTemplate(other.chat_template, end_of_turn=other.end_of_turn)
    encoder = Encoder(subject.encoder.tokenizer, template)
    most = subject.budget.scored_tokens
    stretches = subject.stretches("test", encoder, most)
    model = scoring.load_model(subject.base, other)
    bits = scoring.nats(model, [one.encoded for one in stretches], 1.0) * BITS
    sizes = [one.bytes for one in stretches]
    found = intervals.ratio(bits, sizes, subject.seed)
    subject.findings.rungs[name] = found
    subject.add(f"bits_per_byte.{name}", found, "bits per byte", len(sizes), "lower", "stretches")
