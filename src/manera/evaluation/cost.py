"""What a voice costs: minutes, tokens, memory, and energy where the machine tells; of its training, and of a reply."""

from manera.errors import EvaluationError
from manera.evaluation import intervals
from manera.evaluation.alone import Order, write_alone
from manera.evaluation.held_out import spread
from manera.evaluation.report import Better, count
from manera.evaluation.subject import CONTEXT, Subject
from manera.model.voice import Voice, voice_folder
from manera.records import TrainingStep, read_records

GIGA = 1e9
NO_METER = "no energy meter of the processor can be read here (Linux: /sys/class/powercap)"


def measure_training_cost(subject: Subject) -> None:
    """Say what training took, as the voice has it written down; of older voices, what their steps tell."""
    cost = subject.voice.cost
    seconds, tokens = (cost.seconds, cost.tokens) if cost else _of_steps(subject.voice)
    _note(subject, "training.minutes", seconds / 60, "minutes")
    _note(subject, "training.tokens", tokens, "tokens learned from, each as often as it was seen")
    if cost is None:
        raise EvaluationError(
            "this voice was trained before peak memory and energy were noted", "train it again to know them"
        )
    _note(subject, "training.peak_memory", cost.peak_memory_bytes / GIGA, "GB")
    if cost.joules is None:
        raise EvaluationError(f"energy: {NO_METER} when it was trained")
    _note(subject, "training.energy", cost.joules, "joules of the processor, whatever else ran")


def measure_reply_cost(subject: Subject) -> None:
    """Let the voice reply alone, one reply after another, and note what that takes."""
    if subject.urls:
        raise EvaluationError("a server writes, and what that costs is not seen from here", "evaluate without --url")
    prompts = subject.prompts(subject.encoder, spread(subject.tasks, subject.budget.replies))
    adapters = {name: str(path) for name, path in subject.adapters.items()}
    order = Order(str(subject.base / "base.gguf"), adapters, prompts, subject.voice.sampling, CONTEXT)
    alone = write_alone(order)
    figures: dict[str, tuple[list[float], str]] = {
        "seconds": ([one.seconds for one in alone.written], "seconds a reply"),
        "tokens": ([one.new_tokens for one in alone.written], "tokens a reply"),
        "tokens_per_second": ([one.new_tokens / one.seconds for one in alone.written], "tokens a second"),
    }
    for name, (values, unit) in figures.items():
        better: Better = "higher" if name == "tokens_per_second" else "lower" if name == "seconds" else "neither"
        found = intervals.mean(values, subject.seed)
        subject.add(f"cost.reply.{name}", found, unit, len(values), better, "replies")
    _note(subject, "reply.peak_memory", alone.peak_memory_bytes / GIGA, "GB", len(prompts), "replies")
    if alone.joules is None:
        raise EvaluationError(f"energy: {NO_METER}")
    joules = alone.joules / len(prompts)
    _note(subject, "reply.energy", joules, "joules a reply, whatever else ran", len(prompts), "replies")


def _of_steps(voice: Voice) -> tuple[float, int]:
    """Add up the steps' own seconds and tokens."""
    path = voice_folder(voice.name) / "training.jsonl"
    if not path.is_file():
        raise EvaluationError(f"{path} is missing, so what training took is not known")
    steps = list(read_records(path, TrainingStep))
    return sum(step.seconds for step in steps), sum(step.tokens for step in steps)


def _note(subject: Subject, name: str, value: float, unit: str, n: int = 1, of: str = "runs") -> None:
    subject.metrics[f"cost.{name}"] = count(value, unit, n, "lower", of)
