"""What a voice has read of its training text: a run that ends within a pass leaves the rest of it unknown."""

from collections.abc import Sequence

from manera.dataset.building import encode
from manera.dataset.packing import pack
from manera.evaluation.encoders import Encoders
from manera.evaluation.stretches import cut_stretches
from manera.model.voice import Voice, read_steps
from manera.records import Example
from manera.training.loop import rows_seen


def places_read(voice: Voice, training: Sequence[Example], encoders: Encoders) -> list[int]:
    """Return the places of those stretches of the training text that were read up to the point that was kept.

    The rows of the run are made again and read in its order. All the places, where its record is missing or does not
    fit these rows: canaries were planted among them, say.
    """
    max_length = encoders.max_length
    stretches = cut_stretches(training, voice.kind, encoders.voice, max_length)
    everything = list(range(len(stretches)))
    encoded = encode(training, voice.kind, encoders.voice, max_length)
    if voice.settings.get("canaries") or max(len(one.input_ids) for one in encoded) > max_length:
        return everything
    rows = pack(encoded, max_length)
    sizes = (rows.segments != 0).sum(axis=1).tolist()
    seen = rows_seen(sizes, voice.seed, _tokens_until_kept(voice))
    if not seen:
        return everything
    read = {
        tuple(ids[places == segment].tolist())
        for ids, places in ((rows.input_ids[row], rows.segments[row]) for row in seen)
        for segment in range(1, places.max() + 1)
    }
    return [place for place in everything if tuple(stretches[place].encoded.input_ids) in read] or everything


def _tokens_until_kept(voice: Voice) -> int:
    """Count the tokens of all steps up to the one that was kept: of the lowest held-out loss, or the last of a run that
    was stopped before any was known. 0 where there is no record."""
    steps = read_steps(voice.name)
    losses = [(step.validation_loss, step.step) for step in steps if step.validation_loss is not None]
    _, kept = min(losses, default=(0.0, len(steps)))
    return sum(step.tokens for step in steps if step.step <= kept)
