"""One person under several names: merged on request, and proposed."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from manera.corpus.manifest import Speaker
from manera.corpus.speakers import closest_speaker, find_speakers
from manera.errors import CorpusError
from manera.sources.telegram import DELETED

_VOWELS = re.compile(r"[aeiouyаеёиоуыэюя]")
_MIN_LETTERS = 3
# A misspelt name is long, differs in one letter, and is rare beside the right one.
_MISSPELT_LETTERS = 5
_MISSPELT_SHARE = 0.05
_PROPOSED = 5


class Alias(NamedTuple):
    """A name to be seen, and the names or ids of who is meant."""

    name: str
    others: tuple[str, ...]


class Merged(NamedTuple):
    """Speakers who are one: the id that stays, the name that is seen, the ids that become it."""

    speaker_id: str
    name: str
    others: tuple[str, ...]


def parse_alias(written: str) -> Alias:
    """Read ``MONICA=MNCA,MON.``; raise CorpusError when it names nobody."""
    name, _, others = written.partition("=")
    listed = tuple(other.strip() for other in others.split(",") if other.strip())
    if not name.strip() or not listed or not written.isprintable():
        raise CorpusError(f"--alias {written!r} does not say who is whom", '--alias "MONICA=MNCA,MON."')
    return Alias(name.strip(), listed)


def resolve(aliases: Iterable[Alias], speakers: Sequence[Speaker]) -> Iterator[Merged]:
    """Find who is meant; raise CorpusError when nobody answers to a name, or one person would be two."""
    taken: set[str] = set()
    for alias in aliases:
        known = find_speakers(speakers, alias.name)
        others = [speaker for name in alias.others for speaker in _found(speakers, name)]
        people = list(dict.fromkeys(speaker.speaker_id for speaker in [*known, *others]))
        if twice := taken.intersection(people):
            raise CorpusError(f"two aliases name {sorted(twice)[0]!r}", "name everybody in one alias only")
        taken.update(people)
        if people[1:] or not known:
            yield Merged(people[0], known[0].name if known else alias.name, tuple(people[1:]))


def propose(speakers: Sequence[Speaker]) -> list[Alias]:
    """Guess who is one person under several names, as speakers stand: who wrote most first."""
    others: dict[str, list[str]] = {}
    for index, rarer in enumerate(speakers):
        likely = [speaker for speaker in speakers[:index] if _is_likely(rarer, speaker)]
        if len(likely) == 1 and likely[0].speaker_id not in {o for listed in others.values() for o in listed}:
            others.setdefault(likely[0].speaker_id, []).append(rarer.speaker_id)
    names = {speaker.speaker_id: speaker for speaker in speakers}
    return [
        _proposal(names[speaker_id], [names[other] for other in listed])
        for speaker_id, listed in list(others.items())[:_PROPOSED]
    ]


def _proposal(speaker: Speaker, others: Sequence[Speaker]) -> Alias:
    """Name people so that they are told apart: by their ids, where one name is all that they have."""
    if any(other.name == speaker.name for other in others):
        return Alias(speaker.speaker_id, tuple(other.speaker_id for other in others))
    return Alias(speaker.name, tuple(map(_shown, others)))


def _found(speakers: Sequence[Speaker], name: str) -> list[Speaker]:
    found = find_speakers(speakers, name)
    if not found:
        closest = closest_speaker(speakers, name)
        raise CorpusError(
            f'no utterances by "{name}" to be merged', f'closest is "{closest.name}"' if closest else None
        )
    return found


def _shown(speaker: Speaker) -> str:
    """A name that numbers stand behind may be somebody else's too."""
    return speaker.name if _letters(speaker.speaker_id) == _letters(speaker.name) else speaker.speaker_id


def _is_likely(rarer: Speaker, speaker: Speaker) -> bool:
    short, long = _letters(rarer.name), _letters(speaker.name)
    if rarer.name == DELETED or not short or not long or any(map(str.isdigit, rarer.name + speaker.name)):
        return False
    if short == long:
        return True
    if len(short) < len(long) and len(short) >= _MIN_LETTERS and short[0] == long[0] and " " not in rarer.name:
        is_cut = rarer.name.endswith(".") and long.startswith(short)
        consonants = _VOWELS.sub("", short)
        is_thinned = len(consonants) >= _MIN_LETTERS and consonants == _VOWELS.sub("", long) and _is_within(short, long)
        if is_cut or is_thinned:
            return True
    is_rare = rarer.utterances <= _MISSPELT_SHARE * speaker.utterances
    return is_rare and min(len(short), len(long)) >= _MISSPELT_LETTERS and _differ_in_one(short, long)


def _is_within(short: str, long: str) -> bool:
    """Tell whether letters were left out only."""
    letters = iter(long)
    return all(letter in letters for letter in short)


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.casefold().replace("ё", "е")))


def _differ_in_one(one: str, other: str) -> bool:
    """One letter is left out, put in, changed, or two neighbours change places; not at the end: Кабанов, Кабанова."""
    if abs(len(one) - len(other)) > 1 or one[-1] != other[-1]:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, other_rest = one[start:], other[start:]
    return (
        rest[1:] == other_rest
        or rest == other_rest[1:]
        or rest[1:] == other_rest[1:]
        or (rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:])
    )
