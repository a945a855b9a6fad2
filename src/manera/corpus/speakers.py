"""Whose manner is to be learned."""

import difflib
from collections.abc import Sequence

from manera.corpus.manifest import Manifest, Speaker
from manera.errors import CorpusError

_SHOWN = 5
_SOURCES_SHOWN = 2


def choose_speaker(manifest: Manifest, requested: str | None, command: str = "manera train corpus") -> Speaker:
    """Find a speaker by name, former name or id (``user42`` or ``42``), whatever the case.

    None asks for the obvious one: the only speaker, or the owner of the export.
    command is what the hints complete with ``--speaker``.
    Raises CorpusError when nobody, or more than one, answers.
    """
    if requested is None:
        return _obvious(manifest, command)
    found = find_speakers(manifest.speakers, requested)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{speaker.speaker_id} ({speaker.utterances:,} utterances)" for speaker in found)
        raise CorpusError(
            f'"{requested}" is the name of {len(found)} speakers: {listed}',
            f"{command} --speaker {found[0].speaker_id}",
        )
    closest = closest_speaker(manifest.speakers, requested)
    raise CorpusError(
        f'no utterances by "{requested}" in {_sources(manifest)} ({_listed(manifest.speakers)})',
        f'{command} --speaker "{closest.name}"' if closest else None,
    )


def find_speakers(speakers: Sequence[Speaker], requested: str) -> list[Speaker]:
    """Return who answers to an id, a name or a former name, whatever the case."""
    return _by_id(speakers, requested) or _by_name(speakers, requested)


def closest_speaker(speakers: Sequence[Speaker], requested: str) -> Speaker | None:
    """Return the one whose name is most like what was asked for.

    Speakers stand by how much they wrote, so of equally close ones the first is the likelier.
    """

    def closeness(speaker: Speaker) -> float:
        wanted, name = _folded(requested), _folded(speaker.name)
        return difflib.SequenceMatcher(None, wanted, name).ratio() + (wanted in name)

    return max(speakers, key=closeness, default=None)


def _obvious(manifest: Manifest, command: str) -> Speaker:
    if len(manifest.speakers) == 1:
        return manifest.speakers[0]
    if owner := next((speaker for speaker in manifest.speakers if speaker.speaker_id == manifest.owner), None):
        return owner
    raise CorpusError(
        f"{len(manifest.speakers):,} people speak in {_sources(manifest)} ({_listed(manifest.speakers)})",
        f'say whose manner to learn: {command} --speaker "{manifest.speakers[0].name}"',
    )


def _by_id(speakers: Sequence[Speaker], requested: str) -> list[Speaker]:
    exact = [speaker for speaker in speakers if speaker.speaker_id == requested]
    numbered = (f"user{requested}", f"channel{requested}")
    return exact or [speaker for speaker in speakers if speaker.speaker_id in numbered]


def _by_name(speakers: Sequence[Speaker], requested: str) -> list[Speaker]:
    """A present name goes before a former one."""
    wanted = _folded(requested)
    present = [speaker for speaker in speakers if wanted in (_folded(speaker.name), _folded(speaker.speaker_id))]
    return present or [speaker for speaker in speakers if wanted in map(_folded, speaker.aliases)]


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").split())


def _listed(speakers: Sequence[Speaker]) -> str:
    shown = [f'{speaker.utterances:,} by "{speaker.name}"' for speaker in speakers[:_SHOWN]]
    rest = len(speakers) - _SHOWN
    return ", ".join([*shown, *([f"and {rest:,} more"] if rest > 0 else [])])


def _sources(manifest: Manifest) -> str:
    names = [source.name for source in manifest.sources[:_SOURCES_SHOWN]]
    rest = len(manifest.sources) - _SOURCES_SHOWN
    return ", ".join(names) + (f" and {rest:,} more files" if rest > 0 else "")
