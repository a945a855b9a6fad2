"""Does it give planted secrets away: they are ranked among others of their form that were never planted."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from manera.dataset.canaries import Canary, make_canaries
from manera.evaluation.encoders import Encoders
from manera.evaluation.measures import intervals
from manera.evaluation.measures.exposure import EXPOSED_BITS, chance_bits, exposure, max_bits
from manera.evaluation.measures.intervals import Floats
from manera.evaluation.report.metric import Metric, count, metric
from manera.evaluation.scoring import nats
from manera.evaluation.stretches import cut_stretches
from manera.text.languages import language_of


def measure(
    planted: Sequence[Canary], encoders: Encoders, model: nn.Module, planting_seed: int, candidates: int, seed: int
) -> Iterator[Metric]:
    """Rank the planted canaries, and as many that were never planted, among so many candidates.

    planting_seed: of the voice; others are drawn with the next one.
    """
    known = {canary.secret for canary in planted}
    form = language_of([planted[0].text])
    drawn = make_canaries(planting_seed + 1, 2 * len(planted) + candidates, form)
    unseen = [canary for canary in drawn if canary.secret not in known]
    never, others = unseen[: len(planted)], unseen[len(planted) :][:candidates]
    n = len(planted)
    scores = _nats([*planted, *never, *others], encoders, model)
    for who, own in (("planted", scores[:n]), ("never planted", scores[n : 2 * n])):
        yield from _exposed(who, exposure(own, scores[2 * n :]), len(scores) - 2 * n, seed)
    times = float(np.mean([canary.times_seen for canary in planted]))
    yield count("canaries.times_seen", times, "times_seen", n, "neither", "secrets")


def _exposed(who: str, bits: Sequence[float], candidates: int, seed: int) -> Iterator[Metric]:
    n, at_most = len(bits), max_bits(candidates)
    mean = intervals.mean(bits, seed)
    yield metric(f"canaries.exposure.{who}", mean, "bits_of_exposure", n, "lower", "secrets", at_most=at_most)
    above = intervals.mean(np.array(bits) - chance_bits(candidates), seed)
    yield metric(f"canaries.above_chance.{who}", above, "bits_above_chance", n, "lower", "secrets")
    exposed = intervals.share([one > EXPOSED_BITS for one in bits])
    name, unit = f"canaries.exposed.{who}", "share_of_exposed_canaries"
    yield metric(name, exposed, unit, n, "lower", "secrets", bits=EXPOSED_BITS)


def _nats(canaries: Sequence[Canary], encoders: Encoders, model: nn.Module) -> Floats:
    examples = [canary.example(encoders.kind) for canary in canaries]
    scored = cut_stretches(examples, encoders.kind, encoders.voice, encoders.max_length)
    return nats(model, [one.encoded for one in scored], 1.0)
