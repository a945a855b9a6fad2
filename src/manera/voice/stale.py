"""A voice that has learned what was forgotten since: it is marked, and not gone on with."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

import msgspec

from manera.errors import ModelError
from manera.files import replacing
from manera.voice.folder import STALE, voice_folder, voice_names
from manera.voice.known import read_known
from manera.voice.manifest import read_voice


class Stale(msgspec.Struct, frozen=True):
    """Since when a voice knows what was forgotten, and how many utterances of it; 0 where that cannot be told."""

    since: str
    utterances: int


def mark_stale(keys: frozenset[bytes], speakers: Collection[str]) -> Iterator[str]:
    """Mark the voices that know any of these utterances, and yield their names.

    speakers: ids of a corpus; voices of theirs that do not say what they know, as those of earlier versions, are marked
    too.
    """
    for name in voice_names():
        count = _count_known(name, keys, speakers)
        if count is None:
            continue
        earlier = read_stale(name)
        found = Stale(datetime.now(UTC).isoformat(timespec="seconds"), count + (earlier.utterances if earlier else 0))
        with replacing(voice_folder(name) / STALE) as unfinished:
            unfinished.write_bytes(msgspec.json.encode(found))
        yield name


def _count_known(name: str, keys: frozenset[bytes], speakers: Collection[str]) -> int | None:
    """Count what a voice knows of these; None where it knows none of them."""
    try:
        return len(read_known(name) & keys) or None
    except ModelError:
        pass
    try:
        return 0 if read_voice(name).persona.speaker_id in speakers else None
    except ModelError:
        return None  # it can be neither used nor gone on with


def read_stale(name: str) -> Stale | None:
    """Return what a voice knows that was forgotten; None where there is nothing."""
    try:
        return msgspec.json.decode((voice_folder(name) / STALE).read_bytes(), type=Stale)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        return Stale("", 0)  # marked is marked


def require_fresh(name: str) -> None:
    """Raise ModelError where a voice knows what was forgotten: it is not to be learned on."""
    if read_stale(name):
        raise ModelError(
            f"the voice {name!r} has learned from what was forgotten since, and does not go on",
            f"train it again from the corpus as it is now: manera train CORPUS --name {name} --replace",
        )
