"""Was training worth it: every rung scored on the same held-out stretches, and the gate asked."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from manera.evaluation.encoders import Encoders
from manera.evaluation.measures import intervals
from manera.evaluation.measures.gate import gate
from manera.evaluation.measures.intervals import Floats, Groups, Interval, Sums
from manera.evaluation.measures.verifier import area_under_curve
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import BASE, RUNGS, VOICE, Prefixes, Rung
from manera.evaluation.scoring import BITS, bits
from manera.evaluation.stretches import Stretch, Stretches, after_prefix

TRAINED = frozenset(rung.name for rung in RUNGS if rung.voice_scale)
SIDES = (BASE, VOICE)
"""Without the adapter and with it."""


def measure(
    stretches: Stretches,
    prefixes: Prefixes,
    model: nn.Module,
    max_tokens: int,
    seed: int,
    places_read: Sequence[int] | None,
) -> Iterator[Metric | Findings]:
    """Score every rung on the same held-out stretches, and ask the gate.

    places_read: of the training stretches that the voice had read by the point that was kept, which it is to know
    better than held-out text. None for a voice that has just been trained here: it is not asked.
    """
    encoders = stretches.encoders
    held_out = {rung: stretches.held_out(encoders.at(rung.voice_scale), max_tokens) for rung in RUNGS}
    sizes = [one.bytes for one in held_out[VOICE]]
    groups = [one.conversation for one in held_out[VOICE]]
    found = {}
    for rung, own in held_out.items():
        found[rung.name] = _bits(rung, model, own, prefixes, encoders)
        tokens = [one.encoded.supervised_tokens for one in own]
        yield from _likelihood(rung, found[rung.name], sizes, tokens, groups, seed)
    knowledge = None
    if places_read is not None:
        read = [stretches.short_training(encoders.at(rung.voice_scale), max_tokens, places_read) for rung in SIDES]
        unseen = [stretches.short_held_out(encoders.at(rung.voice_scale), max_tokens) for rung in SIDES]
        gains = [_gains(side, model, prefixes, encoders) for side in (read, unseen)]
        knowledge = intervals.difference(*gains)
        yield from _memory(knowledge, *gains)
    yield Findings(verdict=gate(found, TRAINED, sizes, knowledge, seed, groups))


def _likelihood(
    rung: Rung, bits: Floats, sizes: Sequence[int], tokens: Sequence[int], groups: Groups, seed: int
) -> Iterator[Metric]:
    """Say how likely held-out text is on a rung. sizes, tokens: of each stretch."""
    per_byte = intervals.ratio(bits, sizes, seed, groups)
    yield metric(f"bits_per_byte.{rung.name}", per_byte, "bits_per_byte", len(bits), "lower", "stretches")
    nats = intervals.ratio(bits / BITS, tokens, seed, groups)
    perplexity = Interval(*np.exp(nats).tolist())
    yield metric(f"perplexity.{rung.name}", perplexity, "perplexity_of_a_token", len(bits), "lower", "stretches")


def _bits(rung: Rung, model: nn.Module, stretches: Sequence[Stretch], prefixes: Prefixes, encoders: Encoders) -> Floats:
    """Return the bits of each stretch on one rung."""
    encoder = encoders.at(rung.voice_scale)
    encoded = [after_prefix(one, prefixes.of(rung, one.asked, encoder)) for one in stretches]
    return bits(model, encoded, rung.voice_scale)


def _gains(stretches: Sequence[Sequence[Stretch]], model: nn.Module, prefixes: Prefixes, encoders: Encoders) -> Sums:
    """Score stretches, as the base and as the voice has them, without the adapter and with it."""
    base, voice = (_bits(rung, model, own, prefixes, encoders) for rung, own in zip(SIDES, stretches, strict=True))
    scored = stretches[1]
    return Sums(base - voice, np.array([float(one.bytes) for one in scored]), [one.conversation for one in scored])


def _memory(knowledge: Interval, read: Sums, unseen: Sums) -> Iterator[Metric]:
    """Compare what the adapter gains on text it has read with what it gains on held-out text."""
    sides = (read, unseen)
    n = sum(len(side.groups) for side in sides)
    yield metric("memory.gain_on_training_text", knowledge, "bits_per_byte", n, "neither", "stretches")
    membership = area_under_curve(*(side.numerators / side.denominators for side in sides))
    # an area varies no more than as many yes and no as the smaller side has (Birnbaum and Klose, 1957)
    apart = intervals.wilson(membership, min(len(set(side.groups)) for side in sides))
    yield metric("memory.membership_auc", apart, "area_under_the_curve", n, "nearer_half", "stretches")
