"""What a model made of a person's text, to ask for it: one answer a line, kept with the dataset."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from manera.files import read_records, write_records
from manera.voice.folder import INSTRUCTIONS

Kind = Literal["question", "draft"]
"""A question that a text answers, or what it says, said plainly."""


class Made(msgspec.Struct, frozen=True):
    """One answer of a model about one text, which is known by its hash."""

    kind: Kind
    text_sha256: str
    answer: str


def read_made(folder: Path) -> list[Made]:
    """Return what was made, as a folder has it: nothing where it has none, nor what follows a line that was cut off."""
    found: list[Made] = []
    with suppress(FileNotFoundError, msgspec.DecodeError):
        for made in read_records(folder / INSTRUCTIONS, Made):
            found.append(made)
    return found


def write_made(made: Sequence[Made], folder: Path) -> None:
    """Write it into a folder, where there is any."""
    if made:
        write_records(folder / INSTRUCTIONS, made)
