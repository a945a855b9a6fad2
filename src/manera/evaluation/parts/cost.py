"""What a voice costs: minutes, tokens, memory, and energy where the machine tells; of its training, and of a reply."""

from collections.abc import Iterator

from manera.evaluation.measures import intervals
from manera.evaluation.one_reply_at_a_time import Replies
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.report.metric import Metric, count, metric
from manera.voice.folder import TRAINING, voice_folder
from manera.voice.manifest import Voice, read_steps

GIGA = 1e9
TRAIN_AGAIN = "train it again to know it"


def of_training(voice: Voice) -> Iterator[Metric]:
    """Say what training took, as the voice has it written down; of older voices, what their steps tell."""
    cost = voice.cost
    seconds, tokens = (cost.seconds, cost.tokens) if cost else _of_steps(voice)
    yield count("cost.training.minutes", seconds / 60, "minutes", 1, "lower", "runs")
    yield count("cost.training.tokens", tokens, "tokens_learned_from", 1, "lower", "runs")
    if cost is None:
        raise NotMeasuredError("memory_not_noted", TRAIN_AGAIN)
    yield count("cost.training.peak_memory", cost.peak_memory_bytes / GIGA, "gigabytes", 1, "lower", "runs")


def energy_of_training(voice: Voice) -> Iterator[Metric]:
    """Say what training took of the processor's energy, where that could be read then."""
    if voice.cost is None:
        raise NotMeasuredError("energy_not_noted", TRAIN_AGAIN)
    if voice.cost.joules is None:
        raise NotMeasuredError("no_energy_meter_then")
    yield count("cost.training.energy", voice.cost.joules, "joules", 1, "lower", "runs")


def of_a_reply(replies: Replies, seed: int) -> Iterator[Metric]:
    """Say what a reply takes where nothing else is done."""
    written = replies.written
    n = len(written)
    seconds = intervals.mean([one.seconds for one in written], seed)
    yield metric("cost.reply.seconds", seconds, "seconds_per_reply", n, "lower", "replies")
    tokens = intervals.mean([one.new_tokens for one in written], seed)
    yield metric("cost.reply.tokens", tokens, "tokens_per_reply", n, "neither", "replies")
    speed = intervals.mean([one.new_tokens / one.seconds for one in written], seed)
    yield metric("cost.reply.tokens_per_second", speed, "tokens_per_second", n, "higher", "replies")
    yield count("cost.reply.peak_memory", replies.peak_memory_bytes / GIGA, "gigabytes", n, "lower", "replies")


def energy_of_a_reply(replies: Replies) -> Iterator[Metric]:
    """Say what a reply takes of the processor's energy, where that can be read."""
    n = len(replies.written)
    if replies.joules is None:
        raise NotMeasuredError("no_energy_meter")
    yield count("cost.reply.energy", replies.joules / n, "joules_per_reply", n, "lower", "replies")


def _of_steps(voice: Voice) -> tuple[float, int]:
    """Add up the steps' own seconds and tokens."""
    steps = read_steps(voice.name)
    if not steps:
        raise NotMeasuredError("steps_missing", TRAIN_AGAIN, path=str(voice_folder(voice.name) / TRAINING))
    return sum(step.seconds for step in steps), sum(step.tokens for step in steps)
