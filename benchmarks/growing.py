"""What balance costs and buys: held-out loss of a person's text and of general text, setting by setting.

    python benchmarks/growing.py CORPUS [--speaker NAME] [--general CORPUS] [--epochs 1] [--only NAME...] [--json FILE]

Every setting trains a fresh adapter from the same seed and is measured at its best point on validation text. Figures
are bits per byte; differences are to the first setting, paired by conversation (paragraph of general text), with 95 %
intervals; below 0 is a gain.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manera import config
from manera.bases import base_model
from manera.corpus.storage import open_corpus
from manera.dataset.building import encode
from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import read_format
from manera.evaluation.general_text import MAX_LENGTH, paragraphs
from manera.evaluation.measures import intervals
from manera.evaluation.scoring import Floats, bits
from manera.training.fitting import fit
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup, set_up

GENERAL = ("general-ru", "general-en")
PLAIN = "as it is"


class Scored(NamedTuple):
    """Bits and bytes of each text, and the conversation of each."""

    bits: Floats
    bytes: Floats
    groups: Sequence[int]


def variants(general: Path | None) -> dict[str, dict[str, Any]]:
    """Return the settings that are compared, by name."""
    found: dict[str, dict[str, Any]] = {
        PLAIN: {},
        "--half-life 365": {"half_life": 365},
        "--half-life 90": {"half_life": 90},
        "--replay 0.05": {"replay": 0.05},
        "--replay 0.2": {"replay": 0.2},
        "--per-thread 0.2": {"per_thread": 0.2},
    }
    if general:
        found["--replay 0.2 --replay-from"] = {"replay": 0.2, "replay_from": general}
    return found


def trained(setup: Setup) -> int:
    """Train to the best point on validation text; return its step."""
    best: dict[str, Any] = {}

    def keep(step: Any) -> None:
        best["state"], best["step"] = setup.method.state(setup.model), step.step

    rows = setup.material.dataset.rows
    for _ in fit(setup.model, rows["train"], rows["validation"], setup.planned, keep):
        pass
    setup.method.load_state(setup.model, best["state"])
    return int(best["step"])


def scored(setup: Setup, scale: float) -> dict[str, Scored]:
    """Score held-out text, and general texts."""
    material = setup.material
    made = material.dataset.examples["test"]
    encoded = encode(made, material.kind, material.encoder, material.max_length)
    sizes = [len(material.encoder.decode([i for i in one.labels if i >= 0]).encode()) for one in encoded]
    groups = range(len(encoded)) if len(made) != len(encoded) else [example.conversation or 0 for example in made]
    found = {"test": Scored(bits(setup.model, encoded, scale), np.array(sizes, dtype=np.float64), list(groups))}
    own = material.encoder
    prose = Encoder(own.tokenizer, read_format("prose").chat_template(own.template.bos, own.template.end_of_turn))
    for name in GENERAL:
        texts = [next(prose.windows(text, MAX_LENGTH)) for text in paragraphs(name)]
        lengths = np.array([len(prose.decode(one.input_ids).encode()) for one in texts], dtype=np.float64)
        found[name] = Scored(bits(setup.model, texts, scale), lengths, list(range(len(texts))))
    return found


def figures(found: dict[str, Scored], plain: dict[str, Scored]) -> dict[str, list[float]]:
    """Return bits per byte of each text, then the difference to the first setting with its bounds."""
    return {
        name: [
            round(float(one.bits.sum() / one.bytes.sum()), 4),
            *(round(x, 4) for x in intervals.ratio(one.bits - plain[name].bits, one.bytes, groups=one.groups)),
        ]
        for name, one in found.items()
    }


def main() -> None:
    """Print one line a setting, then everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--general", type=Path, help="a corpus to replay from")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="settings to compare with the first")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    asked = parser.parse_args()
    base = base_model.prepare()
    table: dict[str, Any] = {}
    plain: dict[str, Scored] = {}
    for name, changed in variants(asked.general).items():
        if asked.only is not None and name not in (PLAIN, *asked.only):
            continue
        settings = config.resolve(TrainingConfig, "training", {"epochs": asked.epochs, "seed": asked.seed, **changed})
        setup = set_up(open_corpus(asked.corpus), asked.speaker, settings, base)
        if not plain:
            table["base"] = {
                text: round(float(s.bits.sum() / s.bytes.sum()), 4) for text, s in scored(setup, 0).items()
            }
            print(f"{'base':<28}", table["base"], flush=True)
        step = trained(setup)
        found = scored(setup, 1)
        plain = plain or found
        material = setup.material
        table[name] = {
            "kept_step": step,
            "steps": setup.planned.steps,
            "examples": len(material.dataset.examples["train"]),
            "replayed": round(material.replayed, 4),
            **figures(found, plain),
        }
        print(f"{name:<28}", table[name], flush=True)
    document = {"corpus": asked.corpus.name, "epochs": asked.epochs, "seed": asked.seed, "settings": table}
    if asked.json:
        asked.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    config.let_threads_sleep()
    config.use_large_pages()
    main()
