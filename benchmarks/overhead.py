"""What ``manera train`` takes beside its steps: until the first of them, and before, between and after them.

    python benchmarks/overhead.py PATH --speaker NAME --minutes 5 --save

PATH is imported, and the voice trained as a person would, twice: the second run finds its base built and its layers
compiled, and is the one that is told. Until the first step: from the command on, with the import of torch, the dataset
made and the base scored; with that step's excess over the others, which is what compiling took. Around the steps: all
else than the steps themselves, as a share of them.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine

VOICE = "benchmark-overhead"
BEFORE_STEPS = "parameters change"
"""What ``manera train`` says last before its first step."""


def main() -> None:
    """Print what the second run took, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--base", default="gemma-3-270m")
    parser.add_argument("--minutes", type=float, default=5, help="of training at most")
    parser.add_argument("--warm-up-minutes", type=float, default=0.2, help="of the first run")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        corpus = f"{folder}/corpus"
        importing = timed("import", str(given.path), "--to", corpus)[0]
        training = ["train", corpus, "--name", VOICE, "--base", given.base, "--compile", "on", "--replace"]
        training += ["--speaker", given.speaker] if given.speaker else []
        timed(*training, "--minutes", str(given.warm_up_minutes))
        seconds, until_steps = timed(*training, "--minutes", str(given.minutes))
    document = {
        "benchmark": "beside the steps",
        "command": f"python benchmarks/overhead.py PATH --minutes {given.minutes:g}",
        **machine.described("manera", "torch", "transformers"),
        "base": given.base,
        "import_seconds": importing,
        **told(seconds, until_steps),
    }
    for key, value in document.items():
        if isinstance(value, float):
            print(f"{key.replace('_', ' '):40}{value:>10.2f}")
    machine.tell(document, "overhead" if given.save else None)


def timed(*arguments: str) -> tuple[float, float]:
    """Run a command of manera; return its seconds, and those until it said that its steps begin."""
    started, until_steps = time.perf_counter(), 0.0
    command = [sys.executable, "-m", "manera.cli.main", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            if BEFORE_STEPS in line:
                until_steps = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - started, until_steps


def told(seconds: float, until_steps: float) -> dict[str, Any]:
    """Set what a run took beside its steps."""
    from manera.voice.manifest import read_steps

    records = read_steps(VOICE)
    steps = [record.seconds for record in records]
    compiling = steps[0] - statistics.median(steps)
    around = seconds - sum(steps)
    return {
        "training_tokens": sum(record.tokens for record in records),
        "seconds_until_the_first_step": until_steps + compiling,
        "of_which_compiling": compiling,
        "seconds_of_steps": sum(steps),
        "seconds_around_the_steps": around,
        "of_which_before": until_steps,
        "share_of_the_steps": around / sum(steps),
    }


if __name__ == "__main__":
    main()
