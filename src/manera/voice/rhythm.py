"""The rhythm that was learned with a voice, and the turns that it is measured on: lengths and times, no words."""

from pathlib import Path
from typing import TypeVar

import msgspec

from manera.errors import ModelError
from manera.files import replacing
from manera.rhythm.learning import Learned
from manera.rhythm.record import FORMAT, Compared, Rhythm
from manera.voice.folder import RHYTHM, RHYTHM_TURNS, voice_folder

T = TypeVar("T")


def write_rhythm(learned: Learned | None, folder: Path) -> None:
    """Write a rhythm into a voice's folder, if there is one."""
    if learned:
        for name, part in ((RHYTHM, learned.rhythm), (RHYTHM_TURNS, learned.compared)):
            with replacing(folder / name) as unfinished:
                unfinished.write_bytes(msgspec.json.encode(part))


def read_rhythm(voice: str) -> Rhythm | None:
    """Return a voice's rhythm; None where it has none. Raises ModelError where it is broken, or of a later format."""
    rhythm = _read(voice, RHYTHM, Rhythm)
    if rhythm and rhythm.format != FORMAT:
        raise ModelError(
            f"{voice_folder(voice) / RHYTHM} has format {rhythm.format}, not {FORMAT}", "train the voice again"
        )
    return rhythm


def read_compared(voice: str) -> Compared | None:
    """Return the turns that a voice's rhythm is measured on; None where there are none."""
    return _read(voice, RHYTHM_TURNS, Compared)


def _read(voice: str, name: str, kind: type[T]) -> T | None:
    path = voice_folder(voice) / name
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "train the voice again, or remove that file") from error
