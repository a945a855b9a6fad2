"""What a run will take, told before it is far: measured on its own first steps, or guessed where nothing may run."""

import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manera import config
from manera.bases import base_model
from manera.errors import TrainingError
from manera.machine.memory import available_memory_bytes, memory_bytes, peak_memory_bytes
from manera.records import TrainingStep
from manera.retrieval import sentences
from manera.training.held_out import scored_rows

if TYPE_CHECKING:
    from torch import nn

    from manera.training.loop import State
    from manera.training.setup import Setup

MEASURED_STEPS = 3
"""The first of them may compile; the others are what a step takes."""

WRITING_SECONDS = 3.0
"""Of the voice's folder, with the index of its exchanges, in about."""

SCRATCH = 1.3
"""What a step takes beside what it keeps for the way back: gradients on their way, products, logits."""

BYTES_PER_TRAINED_PARAMETER = 16
"""Beside itself, in float32: its gradient, Adam's two moments, and its mean over the last steps."""

TOKENS_PER_SECOND_AND_CORE = 150.0
"""Of a base of 270 M parameters, where nothing was trained on this machine before: 2 cores have made 300 to 480."""

MAX_CORES = 8

MEMORY_BYTES = 3_500_000_000
"""Of the same: what its trainings took at their peak, and some more."""

SECONDS_AROUND = 60.0
"""What is done before the first step and after the last, in about."""


class Forecast(msgspec.Struct, frozen=True):
    """What a run will take, if held-out loss does not end it earlier.

    seconds: until the voice is there, with those that went by; step_seconds: of all its steps alone. disk_bytes: what
    the voice and its checkpoints take at most. rows_at_once: how many of rows_per_step go through the model together.
    """

    steps: int
    seconds: float
    step_seconds: float
    peak_memory_bytes: int
    disk_bytes: int
    rows_at_once: int
    rows_per_step: int


class Guess(msgspec.Struct, frozen=True):
    """What a run may take, by trainings that were."""

    seconds: float
    memory_bytes: int


def guess(tokens: float, minutes: float | None, speeds: Sequence[float], memory: Sequence[int]) -> Guess:
    """Guess from what earlier trainings took, the newest last, and where there is none from this machine's cores."""
    speed = speeds[-1] if speeds else TOKENS_PER_SECOND_AND_CORE * min(os.cpu_count() or 1, MAX_CORES)
    seconds = min(tokens / speed, math.inf if minutes is None else minutes * 60)
    return Guess(seconds + SECONDS_AROUND, max(memory, default=0) or MEMORY_BYTES)


def forecast(setup: "Setup", state: "State", steps: Sequence[TrainingStep], gone: float, scoring: float) -> Forecast:
    """Tell from the first steps of this process what the whole run will take.

    steps: those of this process. gone: seconds up to now. scoring: seconds for one batch of held-out rows.
    """
    planned, dataset = setup.planned, setup.material.dataset
    at_once = state.micro_batch.rows
    a_step = statistics.median([step.seconds for step in steps[1:]] or [steps[0].seconds])
    a_validation = math.ceil(len(scored_rows(dataset, "validation")) / at_once) * scoring
    a_test = math.ceil(len(scored_rows(dataset, "test")) / at_once) * scoring
    left = planned.steps - state.step
    each = a_step + a_validation / planned.steps_per_validation
    if planned.seconds is not None:
        left = min(left, max(0, math.ceil((planned.seconds - state.elapsed) / each)))
    indexing = sentences.MEMORY_BYTES if setup.material.exchanges else 0
    after = a_test + 2 * a_validation + WRITING_SECONDS
    return Forecast(
        steps=state.step + left,
        seconds=gone + left * each + a_validation + after,
        step_seconds=sum(step.seconds for step in steps) + left * a_step,
        peak_memory_bytes=max(peak_memory_bytes(), memory_bytes() + indexing),
        disk_bytes=_disk_bytes(setup, state),
        rows_at_once=at_once,
        rows_per_step=planned.rows_per_step,
    )


def _disk_bytes(setup: "Setup", state: "State") -> int:
    """Return how much the run and its voice take at most."""
    learned = sum(parameter.numel() * 4 for parameter in state.parameters)
    texts = sum(
        len(message.content.encode()) + 40
        for examples in setup.material.dataset.examples.values()
        for example in examples
        for message in example.messages
    )
    voice = 2 * learned + 3 * texts
    unfinished = 5 * learned  # parameters, their mean, two moments, the best point
    return unfinished + max(unfinished, voice)  # beside the last checkpoint the next is written, and then the voice


def require_disk(setup: "Setup", state: "State") -> None:
    """Raise TrainingError where the disk has no room for the run and its voice."""
    place = next(folder for folder in (config.home(), *config.home().absolute().parents) if folder.exists())
    needed, free = _disk_bytes(setup, state), shutil.disk_usage(place).free
    if needed > free:
        raise TrainingError(
            f"the run and its voice take {needed / 1e9:.2f} GB in {config.home()}, where {free / 1e9:.2f} GB are free",
            "make room there, choose another disk (MANERA_HOME), or train with a lower --rank",
        )


def fit_into_memory(state: "State", kept_bytes: int, row_length: int, free: int | None) -> None:
    """Let as many rows go through the model at once as memory is free for; raise TrainingError where not one can.

    kept_bytes: what the model keeps of one row for the way back.
    """
    if free is None:
        return
    learned = sum(parameter.numel() for parameter in state.parameters) * BYTES_PER_TRAINED_PARAMETER
    if learned > free:
        raise TrainingError(
            f"what is learned takes {learned / 1e9:.1f} GB beside the model, and {free / 1e9:.1f} GB are free",
            "--method lora, or a lower --rank; or close other programs",
        )
    free -= learned
    a_row = kept_bytes * SCRATCH
    rows = state.micro_batch.rows
    fitting = [fewer for fewer in range(1, rows + 1) if rows % fewer == 0 and fewer * a_row <= free]
    if not fitting:
        fits = int(free / a_row * row_length) // 32 * 32
        shorter = f"--max-length {fits} would do, or " if fits >= 64 else ""
        raise TrainingError(
            f"a row of {row_length} tokens takes {a_row / 1e9:.1f} GB of memory to learn from, and {free / 1e9:.1f} GB "
            "are free",
            f"{shorter}a smaller base: manera bases; or close other programs",
        )
    state.micro_batch.rows = max(fitting)


def free_bytes(device: str) -> int | None:
    """Return how much memory of a device may still be taken; None where it does not tell."""
    import torch

    if torch.device(device).type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return available_memory_bytes() if torch.device(device).type == "cpu" else None


def kept_bytes(model: "nn.Module", loss: Callable[[], object]) -> int:
    """Return how much memory the tensors take that ``loss`` keeps for the way back, beside the model's own."""
    import torch
    from torch.autograd.graph import saved_tensors_hooks

    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor), torch.compiler.set_stance("force_eager"):
        alive = loss()
    del alive
    return sum(kept.values())


def require_memory_for_weights(base: Path) -> None:
    """Raise TrainingError where a base cannot even be loaded."""
    free, weights = available_memory_bytes(), _weight_bytes(base)
    if free is not None and weights > free:
        raise TrainingError(
            f"the weights of {base.name} take {weights / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free",
            "choose a smaller base (manera bases), or close other programs",
        )


def _weight_bytes(base: Path) -> int:
    """Return how much memory a base's weights take in float32."""
    if (base / base_model.GGUF).is_file():
        return sum(int(tensor.n_elements) for tensor in base_model.open_weights(base).tensors) * 4
    return 2 * sum(file.stat().st_size for file in base.glob("*.safetensors"))  # 16 bits each


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started
