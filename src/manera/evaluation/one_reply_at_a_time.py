"""One voice in a process of its own, one reply after another: what a reply costs where nothing else is done."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec

from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.writing import Written, write_all
from manera.generation.either import open_engine
from manera.machine.energy import EnergyMeter
from manera.machine.memory import peak_memory_bytes
from manera.voice.manifest import Sampling


class Order(msgspec.Struct, frozen=True):
    """What is to be written: a model and its adapters, all turned fully up; prompts as token ids."""

    base: str
    adapters: dict[str, str]
    prompts: list[list[int]]
    sampling: Sampling
    context_length: int


class Replies(msgspec.Struct, frozen=True):
    """Replies, the memory of the process that wrote them at its peak, and the processor's energy meanwhile."""

    written: list[Written]
    peak_memory_bytes: int
    joules: float | None


def reply_in_new_process(order: Order) -> Replies:
    """Have an order carried out by a new process. Raises NotMeasuredError where that fails."""
    command = [sys.executable, "-m", "manera.evaluation.one_reply_at_a_time"]
    finished = subprocess.run(command, input=msgspec.json.encode(order), capture_output=True, check=False)
    if finished.returncode:
        *_, last = [b"no reason given", *finished.stderr.splitlines()]
        raise NotMeasuredError("no_process_to_reply", error=last.decode("utf-8", "replace"))
    return msgspec.json.decode(finished.stdout, type=Replies)


def _write(order: Order) -> Replies:
    adapters = {name: Path(path) for name, path in order.adapters.items()}
    with closing(open_engine(Path(order.base), adapters, 1, order.context_length)) as engine:
        energy = EnergyMeter()
        scale = dict.fromkeys(adapters, 1.0)
        written = list(write_all(engine, order.prompts, order.sampling, scale, workers=1))
        return Replies(written, peak_memory_bytes(), energy.joules())


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_write(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))))
