"""What a run says after three steps that it will take, against what it takes, on three sizes.

    python benchmarks/plan.py --save                       # play, channel and chat of examples/, one pass each
    python benchmarks/plan.py --base smollm2-135m chat-en

Each run has a process of its own, so that its peak of memory is its own. Held-out loss does not end it.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine

EXAMPLES = Path(__file__).parents[1] / "examples"
CORPORA = ("play-ru", "channel-ru", "chat-ru")
FIGURES = {"seconds": 1.0, "peak_memory_bytes": 1e9, "disk_bytes": 1e6}
"""With what each is divided by in the table."""


def measured(example: str, base: str, epochs: float) -> dict[str, Any]:
    """Train on one example; return what was foretold, and what came."""
    from manera import config

    config.let_threads_sleep()  # as manera's own commands do
    config.use_large_pages()

    from manera.bases import base_model
    from manera.corpus.storage import open_corpus, write
    from manera.sources.reading import read
    from manera.training import checkpoint
    from manera.training.forecast import Forecast
    from manera.training.learn import Learned, learn
    from manera.training.settings import TrainingConfig
    from manera.voice.folder import remove_voice, voice_folder

    ready = base_model.prepare(name=base)
    voice = f"plan-benchmark-{example}"
    foretold, learned, saved = None, None, 0
    with TemporaryDirectory() as folder:
        write(read([EXAMPLES / example]), Path(folder) / "corpus")
        corpus = open_corpus(Path(folder) / "corpus")
        speaker = corpus.manifest.speakers[0].speaker_id
        settings = TrainingConfig(epochs=epochs, patience=1000)
        started = time.monotonic()
        for event in learn(corpus, speaker, voice, settings, ready, replace=True, folder=Path(folder) / "run"):
            file = Path(folder) / "run" / checkpoint.FILE
            saved = max(saved, file.stat().st_size if file.exists() else 0)
            if isinstance(event, Forecast):
                foretold = event
            elif isinstance(event, Learned):
                learned = event
        seconds = time.monotonic() - started
    assert foretold is not None
    assert learned is not None
    size = sum(path.stat().st_size for path in voice_folder(voice).rglob("*") if path.is_file())
    remove_voice(voice)
    came = {
        "seconds": seconds,
        "peak_memory_bytes": learned.peak_memory_bytes,
        "disk_bytes": saved + max(saved, size),
    }
    return {
        "example": example,
        "steps": learned.steps,
        "foretold": {name: getattr(foretold, name) for name in FIGURES},
        "came": came,
    }


def main() -> None:
    """Print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", nargs="*", default=CORPORA, help="folders of examples/")
    parser.add_argument("--base", default="gemma-3-270m")
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measured(given.examples[0], given.base, given.epochs)))
        return
    rows = []
    print(f"{'':12}{'steps':>7}{'seconds':>20}{'memory, GB':>20}{'disk, MB':>20}   foretold, and what came")
    for example in given.examples:
        command = [sys.executable, __file__, example, "--here", "--base", given.base, "--epochs", str(given.epochs)]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(finished.stdout.splitlines()[-1])
        rows.append(row)
        pairs = "".join(
            f"{row['foretold'][name] / unit:>10,.1f}{row['came'][name] / unit:>10,.1f}"
            for name, unit in FIGURES.items()
        )
        print(f"{example:12}{row['steps']:>7}{pairs}", flush=True)
    document = {
        "benchmark": "plan",
        "command": f"python benchmarks/plan.py --base {given.base} --epochs {given.epochs:g}",
        **machine.described("manera", "torch", "transformers"),
        "rows": rows,
    }
    machine.tell(document, "plan" if given.save else None)


if __name__ == "__main__":
    main()
