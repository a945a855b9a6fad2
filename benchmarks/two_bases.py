"""The two bases that need no hub, beside each other: ``python benchmarks/two_bases.py --save``.

    python benchmarks/two_bases.py --data DATA --save            # also on a novelist's prose and a blog, untuned

Untuned, each base scores the same held-out text of every corpus, as ``manera bases --for`` does. Then ``manera train
--base A --base B`` trains a voice on each, on an English and a Russian corpus, for so many minutes of steps, and lets
all answer the same held-out prompts. Writes results/bases.json and, from it, its part of docs/results.md.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine
import results

BASES = ("gemma-3-270m", "smollm2-135m")
TRAINED = ("chat-en", "chat-ru")
READ = ("channel-en", "channel-ru", *TRAINED)
OTHERS = {"Пушкин": "prose_ru/Pushkin", "blog": "blog_ru/blog"}
NAME = "bases"


def main() -> None:
    """Measure, print one JSON line, and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    corpora = {name: results.ROOT / "examples" / name for name in READ}
    if given.data:
        corpora |= {name: given.data / path for name, path in OTHERS.items()}
    with TemporaryDirectory() as folder:
        for name, path in corpora.items():
            results.manera("import", str(path), "--to", f"{folder}/{name}")
        untuned = {name: read_untuned(f"{folder}/{name}") for name in corpora}
        trained = {name: train(f"{folder}/{name}", name, given.minutes) for name in TRAINED}
    document = {
        "benchmark": "two bases",
        **machine.described("manera", "torch"),
        "minutes": given.minutes,
        "untuned": untuned,
        "trained": trained,
    }
    machine.tell(document, NAME if given.save else None)
    if given.save:
        results.PAGE.write_text(results.page(json.loads(results.RESULTS.read_text("utf-8"))), "utf-8")


def _named() -> Iterator[str]:
    for base in BASES:
        yield from ("--base", base)


def read_untuned(corpus: str) -> list[dict[str, Any]]:
    """Let the untuned bases score a person's held-out text."""
    return list(results.manera("bases", "--for", corpus, *_named())["bases"])


def train(corpus: str, name: str, minutes: float) -> dict[str, Any]:
    """Train a voice on each base, and let them answer."""
    bounds = ("--minutes", str(minutes), "--replace")
    return results.manera("train", corpus, "--name", f"bases-{name}", *_named(), *bounds)


def section(document: Mapping[str, Any]) -> str:
    """Write the part of docs/results.md."""
    text = [
        "## Two bases",
        f"By `python benchmarks/two_bases.py`, commit {document['commit']}, {document['cpu']}; voices of at most "
        f"{document['minutes']:g} minutes of steps.",
        results.table(("untuned, bits per byte (tokens a character)", *BASES), _untuned(document["untuned"])),
    ]
    for name, found in document["trained"].items():
        head = (name, "untuned, bits per byte", "voice", "minutes of steps", "GB at the peak")
        text += [results.table(head, map(_voice, found["voices"])), *_replies(found)]
    return "\n\n".join(text)


def _untuned(untuned: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, found in untuned.items():
        cells = {one["base"]: f"{one['bits_per_byte']:.3f} ({one['tokens_per_character']:.3f})" for one in found}
        yield [name, *(cells[base] for base in BASES)]


def _voice(one: Mapping[str, Any]) -> list[str]:
    cost = (f"{one['minutes']:.1f}", f"{one['peak_memory_bytes'] / 1e9:.1f}")
    return [one["base"], f"{one['base_bits_per_byte']:.3f}", f"{one['voice_bits_per_byte']:.3f}", *cost]


def _replies(found: Mapping[str, Any]) -> Iterator[str]:
    """Quote what each wrote on the same prompts."""
    for place, prompt in enumerate(found["prompts"]):
        lines = [f"**{_line(prompt)}**", *(f"{one['base']}: {_line(one['replies'][place])}" for one in found["voices"])]
        yield "\n".join(f"> {line}  " for line in lines)


def _line(text: str) -> str:
    return " / ".join(text.split("\n"))


if __name__ == "__main__":
    main()
