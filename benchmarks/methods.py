"""What each method of training costs and gives on one corpus: ``python benchmarks/methods.py CORPUS --speaker NAME``.

    manera import examples/channel-ru --to build/channel
    python benchmarks/methods.py build/channel --epochs 1 --save

Each method trains a voice of the same text in a process of its own, for as many steps, at its own learning rate; the
peak is of that process. What else runs on the machine slows it down and takes none of its memory.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import machine
from manera.bases import base_model
from manera.records import MethodName
from manera.voice.folder import voice_folder


def main() -> None:
    """Train by every method and print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--methods", nargs="+", default=get_args(MethodName), choices=get_args(MethodName))
    parser.add_argument("--epochs", default="1")
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="manera-methods-") as home:
        os.environ["MANERA_HOME"] = home
        base_model.prepare()
        found = {method: trained(method, asked.corpus, asked.speaker, asked.epochs) for method in asked.methods}
    show(found)
    document = {"benchmark": "methods", "epochs": asked.epochs, "methods": found}
    tell_of = machine.described("torch", "transformers", "peft")
    machine.tell(document | tell_of, "methods" if asked.save else None)


def trained(method: MethodName, corpus: Path, speaker: str | None, epochs: str) -> dict[str, Any]:
    """Train a voice by one method; return its figures."""
    named = [] if speaker is None else ["--speaker", speaker]
    flags = ["--name", method, "--method", method, "--epochs", epochs, "--json"]
    command = [sys.executable, "-m", "manera.cli.main", "train", str(corpus), *named, *flags]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    files = [file.stat().st_size for file in voice_folder(method).glob("*") if file.suffix in (".safetensors", ".gguf")]
    return {
        "bits_per_byte": found["held_out"]["voice"]["bits_per_byte"],
        "base_bits_per_byte": found["held_out"]["base"]["bits_per_byte"],
        "peak_memory_bytes": found["peak_memory_bytes"],
        "tokens_per_second": found["tokens_per_second"],
        "voice_bytes": sum(files),
    }


def show(found: dict[str, dict[str, Any]]) -> None:
    """Print the table."""
    titles = ("method", "bits per byte", "base", "peak GB", "tokens/s", "voice MB")
    rows: Sequence[Sequence[str]] = [
        (
            method,
            f"{one['bits_per_byte']:.4f}",
            f"{one['base_bits_per_byte']:.4f}",
            f"{one['peak_memory_bytes'] / 1e9:.2f}",
            f"{one['tokens_per_second']:.0f}",
            f"{one['voice_bytes'] / 1e6:.0f}",
        )
        for method, one in found.items()
    ]
    for row in (titles, *rows):
        print("  ".join(f"{cell:>13}" for cell in row))


if __name__ == "__main__":
    main()
