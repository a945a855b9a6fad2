"""Which one is real? A page of pairs for people, the key apart from it, and what their answers say."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from manera.errors import EvaluationError
from manera.evaluation.measures.intervals import Interval, wilson
from manera.evaluation.report.findings import SideBySide
from manera.evaluation.report.words import LANGUAGES
from manera.files import replacing

TEMPLATES = Path(__file__).parents[1] / "texts"
PAGE, KEY = "blind.html", "blind-key.json"


def write_blind(pairs: Sequence[SideBySide], folder: Path, language: str, seed: int = 0) -> tuple[Path, Path]:
    """Write the page and the key; which side is real is drawn anew for each pair."""
    is_left = np.random.default_rng(seed).integers(0, 2, len(pairs)).astype(bool).tolist()
    shown = [
        {"prompt": pair.prompt, "left": pair.real if left else pair.voice, "right": pair.voice if left else pair.real}
        for pair, left in zip(pairs, is_left, strict=True)
    ]
    page = (
        environment()
        .get_template("blind.html")
        .render(language=language, t=LANGUAGES[language]["blind_page"], pairs=shown)
    )
    key = {str(number): "left" if left else "right" for number, left in enumerate(is_left, start=1)}
    for name, content in ((PAGE, page), (KEY, json.dumps(key, indent=2))):
        with replacing(folder / name) as unfinished:
            unfinished.write_text(content, "utf-8")
    return folder / PAGE, folder / KEY


def environment() -> Environment:
    """Return what renders pages for people to judge; every text is escaped."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def read_votes(votes: Path, folder: Path) -> tuple[Interval, int]:
    """Return how often people were right, with Wilson's interval, and how many pairs they answered.

    Half means that the voice cannot be told from the person. Raises EvaluationError.
    """
    answers, key = (_read(path) for path in (votes, folder / KEY))
    if not answers or not answers.keys() <= key.keys():
        raise EvaluationError(
            f"{votes} holds {len(answers)} answers, and not all are to the {len(key)} pairs of {folder / KEY}",
            "answer on the page that was written with that key",
        )
    right = sum(key[number] == answer for number, answer in answers.items())
    return wilson(right / len(answers), len(answers)), len(answers)


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError as error:
        raise EvaluationError(
            f"there is no file {path}", "write the page first: manera evaluate VOICE --blind 20"
        ) from error
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{path} holds no answers: {error}", "save them from the page again") from error
