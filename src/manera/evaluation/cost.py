"""What a voice costs: minutes, tokens, memory, and energy where the machine tells; of its training, and of a reply."""

from manera.errors import EvaluationError
from manera.evaluation import intervals
from manera.evaluation.report import Better, count
from manera.evaluation.subject import Subject
from manera.voice.folder import TRAINING, voice_folder
from manera.voice.manifest import Voice, read_steps

GIGA = 1e9
NO_METER = "no energy meter of the processor can be read here (Linux: /sys/class/powercap)"


def measure_training_cost(subject: Subject) -> None:
    """Say what training took, as the voice has it written down; of older voices, what their steps tell."""
    cost = subject.voice.cost
    seconds, tokens = (cost.seconds, cost.tokens) if cost else _of_steps(subject.voice)
    _note(subject, "training.minutes", seconds / 60, "minutes")
    _note(subject, "training.tokens", tokens, "tokens learned from, each as often as it was seen")
    if cost is None:
        raise EvaluationError("this voice was trained before peak memory was noted", "train it again to know it")
    _note(subject, "training.peak_memory", cost.peak_memory_bytes / GIGA, "GB")


def measure_training_energy(subject: Subject) -> None:
    """Say what training took of the processor's energy, where that could be read then."""
    cost = subject.voice.cost
    if cost is None:
        raise EvaluationError("this voice was trained before energy was noted", "train it again to know it")
    if cost.joules is None:
        raise EvaluationError(f"{NO_METER} when it was trained")
    _note(subject, "training.energy", cost.joules, "joules of the processor, whatever else ran")


def measure_reply_cost(subject: Subject) -> None:
    """Note what a reply takes where nothing else is done."""
    alone = subject.alone
    figures: dict[str, tuple[list[float], str]] = {
        "seconds": ([one.seconds for one in alone.written], "seconds a reply"),
        "tokens": ([one.new_tokens for one in alone.written], "tokens a reply"),
        "tokens_per_second": ([one.new_tokens / one.seconds for one in alone.written], "tokens a second"),
    }
    for name, (values, unit) in figures.items():
        better: Better = "higher" if name == "tokens_per_second" else "lower" if name == "seconds" else "neither"
        found = intervals.mean(values, subject.seed)
        subject.add(f"cost.reply.{name}", found, unit, len(values), better, "replies")
    _note(subject, "reply.peak_memory", alone.peak_memory_bytes / GIGA, "GB", len(alone.written), "replies")


def measure_reply_energy(subject: Subject) -> None:
    """Say what a reply takes of the processor's energy, where that can be read."""
    joules, n = subject.alone.joules, len(subject.alone.written)
    if joules is None:
        raise EvaluationError(NO_METER)
    _note(subject, "reply.energy", joules / n, "joules a reply, whatever else ran", n, "replies")


def _of_steps(voice: Voice) -> tuple[float, int]:
    """Add up the steps' own seconds and tokens."""
    steps = read_steps(voice.name)
    if not steps:
        raise EvaluationError(
            f"{voice_folder(voice.name) / TRAINING} is missing or broken, so what training took is not known",
            "train it again to know it",
        )
    return sum(step.seconds for step in steps), sum(step.tokens for step in steps)


def _note(subject: Subject, name: str, value: float, unit: str, n: int = 1, of: str = "runs") -> None:
    subject.metrics[f"cost.{name}"] = count(value, unit, n, "lower", of)
