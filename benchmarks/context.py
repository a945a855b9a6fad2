"""Whether a voice makes more of what memory recalls once it learned with it: ``python benchmarks/context.py CORPUS``.

    manera import examples/chat-ru --to build/chat
    python benchmarks/context.py build/chat --steps 40 --save

Two voices make as many steps of the same text, one with nothing recalled, one with a share of its examples opened by
what memory would recall. Each held-out reply is then scored with the turns before it alone, and with what the training
part recalls for it in front, as serving puts it there.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

import machine

TITLES = ("context share", "alone", "with recalled", "replies", "recalled for")
MAX_LENGTH = 384
"""Tokens of a held-out reply with everything before it."""


def main() -> None:
    """Train and score with each share, print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.5])
    parser.add_argument("--only", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if asked.only is not None:
        print(json.dumps(measured(asked.only, asked.corpus, asked.speaker, asked.steps)))
        return
    print("  ".join(f"{title:>14}" for title in TITLES))
    found = [in_new_process(share) for share in asked.shares]
    document = {"benchmark": "context", "corpus": asked.corpus.name, "steps": asked.steps, "shares": found}
    machine.tell(document | machine.described("torch", "transformers"), "context" if asked.save else None)


def in_new_process(share: float) -> dict[str, Any]:
    """Measure one share with the same arguments, and print its row."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", str(share)]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    figures = (f"{found['alone']:.4f}", f"{found['with_recalled']:.4f}", found["replies"], found["recalled_for"])
    print("  ".join(f"{cell:>14}" for cell in (share, *figures)), flush=True)
    return found


def measured(share: float, corpus: Path, speaker: str | None, steps: int) -> dict[str, Any]:
    """Make the steps in this process, and score the held-out replies."""
    from manera import config

    config.let_threads_sleep()  # as manera's own commands do
    config.use_large_pages()

    from torch import Tensor

    from manera.bases import base_model
    from manera.corpus.conversations import conversations
    from manera.corpus.splitting import HELD_OUT_SHARE, split
    from manera.corpus.storage import open_corpus
    from manera.dataset.packing import pack
    from manera.model import packed
    from manera.records import Example
    from manera.training.context import Recollections, put_before
    from manera.training.fitting import fit
    from manera.training.material import MAX_HELD_OUT_CHARACTERS
    from manera.training.settings import TrainingConfig
    from manera.training.setup import set_up

    opened = open_corpus(corpus)
    setup = set_up(opened, speaker, TrainingConfig(context_share=share, compile="off"), base_model.prepare())
    material, rows, kept = setup.material, setup.material.dataset.rows, dict[str, Tensor]()
    planned = replace(setup.planned, steps=steps, steps_per_validation=max(1, steps // 2))

    def keep(_: object) -> None:
        kept.update(setup.method.state(setup.model))

    for _ in fit(setup.model, rows["train"], rows["validation"], planned, keep):
        pass
    setup.method.load_state(setup.model, kept)
    own = material.speaker
    held_out = min(HELD_OUT_SHARE, MAX_HELD_OUT_CHARACTERS / own.characters)
    talks = split(conversations(opened.utterances()), own.speaker_id, held_out).conversations["test"]
    recollections = Recollections(material.learned_from, own.speaker_id)

    def replies() -> Iterator[tuple[Example, Example]]:
        for example in material.dataset.examples["test"]:
            for reply in one_by_one(example):
                talk = talks[reply.conversation or 0]
                recalled = recollections.before_one_of(talk, len(material.learned_from), reply)
                yield reply, put_before(reply, recalled, material.format.recalled)

    def bits_per_byte(examples: list[Example]) -> float:
        encoded = [material.encoder.example(example) for example in examples]
        with setup.method.measuring(setup.model, True):
            nll = packed.measure(setup.model, pack(encoded, MAX_LENGTH), 2)
        return nll.bits_per_byte(sum(len(text.encode()) for example in examples for text in example.targets))

    pairs = [pair for pair in replies() if len(material.encoder.example(pair[1]).input_ids) <= MAX_LENGTH]
    told = [pair for pair in pairs if pair[0] != pair[1]]
    alone, with_recalled = (bits_per_byte([pair[side] for pair in pairs]) for side in (0, 1))
    return {
        "share": share,
        "alone": alone,
        "with_recalled": with_recalled,
        "told_alone": bits_per_byte([pair[0] for pair in told]),
        "told_with_recalled": bits_per_byte([pair[1] for pair in told]),
        "replies": len(pairs),
        "recalled_for": len(told),
        "examples": len(material.dataset.examples["train"]),
        "tokens": rows["train"].tokens,
    }


def one_by_one(example: Any) -> Iterator[Any]:
    """Yield each learned turn of an example by itself, with the turns before it."""
    from manera.dataset.examples import as_context

    for place, message in enumerate(example.messages):
        if message.is_learned:
            before = map(as_context, example.messages[:place])
            yield msgspec.structs.replace(example, messages=(*before, message))


if __name__ == "__main__":
    main()
