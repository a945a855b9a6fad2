"""What each method of training takes and gives on one corpus: ``python benchmarks/methods.py CORPUS [--save]``.

    manera import examples/channel-ru --to build/channel
    python benchmarks/methods.py build/channel --steps 20 --save

Each method makes as many steps of the same text, in a process of its own, at its own learning rate, uncompiled, and
scores held-out text at the end. The peak is of that process; memory does not mind what else runs, and speed does.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import machine
from manera.records import MethodName

TITLES = ("method", "MB trained", "peak GB", "tokens/s", "bits per byte", "kept MB")


def main() -> None:
    """Measure every method and print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=get_args(MethodName), choices=get_args(MethodName))
    parser.add_argument("--only", choices=get_args(MethodName), help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(measured(asked.only, asked.corpus, asked.speaker, asked.steps)))
        return
    print("  ".join(f"{title:>13}" for title in TITLES))
    found = {method: in_new_process(method) for method in asked.methods}
    document = {"benchmark": "methods", "steps": asked.steps, "methods": found}
    machine.tell(document | machine.described("torch", "transformers", "peft"), "methods" if asked.save else None)


def in_new_process(method: str) -> dict[str, Any]:
    """Measure one method with the same arguments, and print its row."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", method]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    row = (
        method,
        f"{found['trained_parameters'] * 4 / 1e6:.0f}",
        f"{found['peak_memory_bytes'] / 1e9:.2f}",
        f"{found['tokens_per_second']:.0f}",
        f"{found['bits_per_byte']:.4f}",
        f"{found['kept_bytes'] / 1e6:.0f}",
    )
    print("  ".join(f"{cell:>13}" for cell in row), flush=True)
    return found


def measured(method: MethodName, corpus: Path, speaker: str | None, steps: int) -> dict[str, Any]:
    """Make the steps in this process."""
    from manera import config

    config.let_threads_sleep()  # as manera's own commands do
    config.use_large_pages()

    from torch import Tensor

    from manera.bases import base_model
    from manera.corpus.storage import open_corpus
    from manera.machine.memory import peak_memory_bytes
    from manera.model import packed
    from manera.training.fitting import fit
    from manera.training.settings import TrainingConfig
    from manera.training.setup import set_up

    setup = set_up(open_corpus(corpus), speaker, TrainingConfig(method=method, compile="off"), base_model.prepare())
    rows, kept = setup.material.dataset.rows, dict[str, Tensor]()
    planned = replace(setup.planned, steps=steps, steps_per_validation=steps)

    def keep(_: object) -> None:
        kept.update(setup.method.state(setup.model))

    made = list(fit(setup.model, rows["train"], rows["validation"].take([0]), planned, keep))
    setup.method.load_state(setup.model, kept)
    with setup.method.measuring(setup.model, True):
        nll = packed.measure(setup.model, rows["test"], planned.rows_per_micro_batch)
    return {
        "trained_parameters": setup.trained_parameters,
        "peak_memory_bytes": peak_memory_bytes(),
        "tokens_per_second": sum(step.tokens for step in made[1:]) / max(1e-9, sum(step.seconds for step in made[1:])),
        "bits_per_byte": nll.bits_per_byte(setup.material.dataset.scored_bytes["test"]),
        "learning_rate": planned.learning_rate,
        "precision": setup.precision,
        "kept_bytes": sum(tensor.numel() * tensor.element_size() for tensor in kept.values()),
    }


if __name__ == "__main__":
    main()
