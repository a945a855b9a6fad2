"""Another voice of the same base, scored on this one's held-out text."""

from collections.abc import Iterator
from pathlib import Path

from manera.dataset.encoding import Encoder
from manera.evaluation.measures import intervals
from manera.evaluation.other_authors import SAME_AUTHOR_SHARE, long_texts
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.report.document import AGAINST
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.scoring import bits, load_model
from manera.evaluation.stretches import Stretches
from manera.evaluation.voice_dataset import own_writing, read_part
from manera.voice.manifest import Voice, read_voice, require_base


def measure(name: str, voice: Voice, base: Path, stretches: Stretches, max_tokens: int, seed: int) -> Iterator[Metric]:
    """Score another voice on the held-out text; the base has its rung already."""
    if name == voice.base.id:
        return
    other = read_voice(name)
    require_base(other, voice.base)
    held_out = long_texts(own_writing(stretches.dataset.test))
    learned = held_out & long_texts(own_writing(read_part(other, "train")))
    if len(learned) > SAME_AUTHOR_SHARE * len(held_out):
        hint = "compare with a voice that was trained on the same corpus"
        counts = {"learned": len(learned), "held_out": len(held_out)}
        raise NotMeasuredError("learned_what_is_held_out", hint, voice=name, **counts)
    template = other.template
    own = stretches.held_out(Encoder(stretches.encoders.voice.tokenizer, template), max_tokens)
    found = intervals.ratio(
        bits(load_model(base, other), [one.encoded for one in own], 1.0),
        [one.bytes for one in own],
        seed,
        [one.conversation for one in own],
    )
    yield metric(f"bits_per_byte.{AGAINST}.{name}", found, "bits_per_byte", len(own), "lower", "stretches")
