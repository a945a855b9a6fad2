"""What people preferred of what a voice wrote: pairs to learn from, one a line."""

from pathlib import Path

import msgspec

from manera.errors import ModelError
from manera.files import read_records
from manera.records import Message
from manera.voice.folder import PREFERENCES, voice_folder


class Pair(msgspec.Struct, frozen=True):
    """A prompt, and the reply that was preferred to another; None where nobody said what would be better, or worse."""

    messages: tuple[Message, ...]
    chosen: str | None = None
    rejected: str | None = None


def preferences_file(voice: str) -> Path:
    """Return where a voice's preferences are kept."""
    return voice_folder(voice) / PREFERENCES


def read_pairs(path: Path) -> list[Pair]:
    """Read a file of pairs; raise ModelError, with the line, where one is none."""
    found: list[Pair] = []
    shape = '{"messages": [{"role": "user", "content": "..."}], "chosen": "...", "rejected": "..."}'
    try:
        for pair in read_records(path, Pair):
            if not pair.messages or (pair.chosen is None and pair.rejected is None):
                raise msgspec.ValidationError("it has no messages, or neither chosen nor rejected")
            found.append(pair)
    except FileNotFoundError as error:
        raise ModelError(f"there are no preferences in {path}", "give replies thumbs first, or name a file") from error
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(
            f"{path}, line {len(found) + 1}, is no pair: {error}", f"each line looks like {shape}"
        ) from error
    return found
