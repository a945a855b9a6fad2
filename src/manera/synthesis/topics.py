"""What texts are to be about: a list of one's own, more of the same by the model, and those that are most unlike."""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from manera.errors import SynthesisError
from manera.files import replacing
from manera.generation.server import Ask
from manera.records import Message
from manera.text.languages import Language
from manera.text.stems import content_stems

TOPICS = "topics.json"
PER_ASK = 20
SHOWN = 12
SPARE = 1.5
"""Topics that are asked for, for each that is missing: the most unlike are taken."""

MAX_COSINE = 0.9
"""Topics nearer than this are one."""

_MARK = re.compile(r"^\s*(?:[-*•–—]|\(?\d{1,3}[.):])\s*")
_MAX_WORDS = 20
_ASKED = {
    "ru": "Вот темы текстов:\n\n{listed}\n\nПридумай ещё {count} тем того же рода, как можно более разных и не похожих "
    "на эти. Каждая тема — одна короткая строка. Только темы, по одной в строке.",
    "en": "Here are topics of texts:\n\n{listed}\n\nThink of {count} more topics of the same kind, as different as "
    "possible from each other and from these. Each topic is one short line. Only the topics, one a line.",
}

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Topics(msgspec.Struct, frozen=True):
    """The topics in their order. seeds: with which of them they began; sought: how many were looked for."""

    seeds: tuple[str, ...]
    topics: tuple[str, ...]
    sought: int = 0


def read_seeds(path: Path) -> tuple[str, ...]:
    """Read a list of topics, one a line, each once; raise SynthesisError where there is none."""
    hint = "write one topic a line; ten are a good beginning"
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SynthesisError(f"{path} is no text in UTF-8", "save it as plain text in UTF-8") from error
    except OSError as error:
        raise SynthesisError(f"the topics in {path} cannot be read: {error.strerror}", hint) from error
    written = filter(None, (" ".join(line.split()) for line in lines))
    found = tuple({topic.casefold(): topic for topic in written}.values())
    if not found:
        raise SynthesisError(f"there is no topic in {path}", hint)
    return found


def stored(folder: Path, seeds: tuple[str, ...]) -> Topics:
    """Return the topics that were chosen before from the same list; without any, the list."""
    try:
        found = msgspec.json.decode((folder / TOPICS).read_bytes(), type=Topics)
    except (OSError, msgspec.DecodeError):
        return Topics(seeds, seeds)
    return found if found.seeds == seeds else Topics(seeds, seeds)


def store(folder: Path, topics: Topics) -> None:
    """Keep the order of topics: what was asked about them before is not asked in another order."""
    with replacing(folder / TOPICS) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(topics), indent=2))


def asks(known: Topics, needed: int, language: Language, seed: int) -> list[Ask]:
    """Ask for the topics that are missing and were not looked for before, in batches, each beside other ones."""
    first = max(len(known.topics), known.sought)
    batches = math.ceil(max(0, needed - first) * SPARE / PER_ASK)
    return [_ask(known.seeds, language, seed, first + number) for number in range(batches)]


def _ask(seeds: Sequence[str], language: Language, seed: int, number: int) -> Ask:
    rng = random.Random(f"topics/{seed}/{number}")
    shown = rng.sample(seeds, min(SHOWN, len(seeds)))
    told = _ASKED[language].format(listed="\n".join(shown), count=PER_ASK)
    return Ask((Message("user", told),), 40 * PER_ASK, 1.0, seed + number)


def listed(answer: str) -> Iterator[str]:
    """Yield the topics of an answer, without the marks and numbers of a list, and without what introduces it."""
    for line in answer.splitlines():
        topic = " ".join(_MARK.sub("", line).strip(' \t*"«»“”').split()).removesuffix(".")
        if topic and not topic.endswith(":") and len(topic.split()) <= _MAX_WORDS and any(map(str.isalpha, topic)):
            yield topic


def spread(chosen: Sequence[str], candidates: Iterable[str], count: int, embed: Embed) -> tuple[str, ...]:
    """Add topics until there are so many, each time the one that is least like any that is there (max-min)."""
    fresh = list(_new(candidates, chosen))
    if not fresh or len(chosen) >= count:
        return tuple(chosen)
    directions, found = embed(fresh), list(chosen)
    nearest = (directions @ embed(list(chosen)).T).max(axis=1)
    while len(found) < count:
        place = int(nearest.argmin())
        if nearest[place] > MAX_COSINE:
            break
        found.append(fresh[place])
        nearest = np.maximum(nearest, directions @ directions[place])
        nearest[place] = np.inf
    return tuple(found)


def _new(topics: Iterable[str], chosen: Iterable[str]) -> Iterator[str]:
    """Yield topics but for those whose words, whatever their forms and order, were there before."""
    seen = set(map(_key, chosen))
    for topic in topics:
        if _key(topic) not in seen:
            seen.add(_key(topic))
            yield topic


def _key(topic: str) -> str:
    return " ".join(sorted(content_stems(topic))) or topic.casefold()
