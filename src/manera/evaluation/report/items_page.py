"""Does it make sense? A page of single texts and of pairs for people, the key apart from it, and what they answered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from manera.errors import EvaluationError
from manera.evaluation.measures.intervals import Interval, wilson
from manera.evaluation.report.blind_page import environment
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.report.words import LANGUAGES
from manera.files import replacing

PAGE, KEY = "items.html", "items-key.json"

Vote = Literal["yes", "no"]
Side = Literal["left", "right", "neither"]
Read = TypeVar("Read", bound=msgspec.Struct)


class Written(NamedTuple):
    """What stood before, the last of it last; and what each writer wrote there: single draft, best of several, person.

    real: None where it is shown with other drafts already.
    """

    asked: Sequence[str]
    single: str
    best: str
    real: str | None


class Key(msgspec.Struct, frozen=True):
    """Who wrote each item, and on which side of each pair the best of several drafts stands."""

    items: dict[str, str]
    pairs: dict[str, Side]


class Votes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one person answered, by the numbers of items and pairs; not all have to be."""

    items: dict[str, Vote]
    pairs: dict[str, Side]


def write_items(
    written: Sequence[Written], count: int, folder: Path, language: str, seed: int = 0
) -> tuple[Path, Path]:
    """Write a page of ``count`` items in no order, and a pair wherever both drafts differ; and the key."""
    rng = np.random.default_rng(seed)
    items = [(one.asked, text, who) for one in written for who, text in _by_writer(one)]
    shown = [items[index] for index in rng.permutation(len(items))[:count]]
    pairs = [one for one in written if one.single.strip() != one.best.strip()]
    is_left = rng.integers(0, 2, len(pairs)).astype(bool).tolist()
    page = (
        environment()
        .get_template("items.html")
        .render(
            language=language,
            t=LANGUAGES[language]["items_page"],
            items=[{"asked": asked, "text": text} for asked, text, _ in shown],
            pairs=[
                {
                    "asked": one.asked,
                    "left": one.best if left else one.single,
                    "right": one.single if left else one.best,
                }
                for one, left in zip(pairs, is_left, strict=True)
            ],
        )
    )
    key = Key(
        {str(number): who for number, (*_, who) in enumerate(shown, start=1)},
        {str(number): "left" if left else "right" for number, left in enumerate(is_left, start=1)},
    )
    for name, content in ((PAGE, page.encode()), (KEY, msgspec.json.format(msgspec.json.encode(key)))):
        with replacing(folder / name) as unfinished:
            unfinished.write_bytes(content)
    return folder / PAGE, folder / KEY


def read_item_votes(votes: Path, folder: Path) -> list[Metric]:
    """Return the share of each writer's items that could stand there, and how often the best of drafts was preferred.

    A pair in which neither was preferred does not count. Raises EvaluationError.
    """
    key, answers = _read(folder / KEY, Key), _read(votes, Votes)
    if not (answers.items.keys() <= key.items.keys() and answers.pairs.keys() <= key.pairs.keys()):
        raise EvaluationError(
            f"{votes} answers items that are not among the {len(key.items)} of {folder / KEY}",
            "answer on the page that was written with that key",
        )
    return [*_acceptable(key.items, answers.items), *_preferred(key.pairs, answers.pairs)]


def holds_item_votes(votes: Path) -> bool:
    """Tell whether a file of answers is from this page."""
    try:
        msgspec.json.decode(votes.read_bytes(), type=Votes)
    except (OSError, msgspec.DecodeError):
        return False
    return True


def _by_writer(one: Written) -> list[tuple[str, str]]:
    real = [] if one.real is None else [("real", one.real)]
    return [("voice", one.single), ("drafts", one.best), *real]


def _acceptable(key: Mapping[str, str], votes: Mapping[str, Vote]) -> list[Metric]:
    found = []
    for who in ("voice", "drafts", "real"):
        said = [vote == "yes" for number, vote in votes.items() if key[number] == who]
        if said:
            name, unit = f"votes.acceptable.{who}", "share_of_acceptable_texts"
            found.append(metric(name, _share(said), unit, len(said), "higher", "texts"))
    return found


def _preferred(key: Mapping[str, Side], votes: Mapping[str, Side]) -> list[Metric]:
    said = [key[number] == side for number, side in votes.items() if side != "neither"]
    if not said:
        return []
    return [metric("votes.preferred.drafts", _share(said), "share_of_preferred_drafts", len(said), "higher", "pairs")]


def _share(said: Sequence[bool]) -> Interval:
    return wilson(sum(said) / len(said), len(said))


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise EvaluationError(
            f"there is no file {path}", "write the page first: manera evaluate VOICE --blind-items 40"
        ) from error
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{path} holds no answers: {error}", "save them from the page again") from error
