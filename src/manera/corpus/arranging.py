"""What is settled only after the last file: threads that several files tell in parts, people of several names."""

import hashlib
import tempfile
from array import array
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np

from manera.files import read_records, replacing
from manera.records import Utterance


class Name(NamedTuple):
    """What people see, and the id behind it."""

    shown: str
    id: str


def arrange(path: Path, threads: Collection[str], speakers: Mapping[str, Name]) -> str:
    """Rewrite a file of utterances and return its fingerprint.

    threads: keys of those that came in parts, which are put in order of time and moved to the end.
    speakers: by id, the people who are another one.
    """
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256()
    with (
        replacing(path) as unfinished,
        unfinished.open("wb") as out,
        tempfile.TemporaryFile(dir=unfinished.parent) as aside,
    ):
        parts = _Parts(threads, aside)
        for utterance in read_records(path, Utterance):
            if speaker := speakers.get(utterance.speaker_id):
                utterance = msgspec.structs.replace(utterance, speaker=speaker.shown, speaker_id=speaker.id)
            line = encoder.encode(utterance) + b"\n"
            if not parts.took(utterance, line):
                digest.update(line)
                out.write(line)
        for line in parts.in_order():
            digest.update(line)
            out.write(line)
    return digest.hexdigest()


class _Parts:
    """Lines of threads that came in parts, put aside in a file: forty bytes of memory each."""

    def __init__(self, threads: Collection[str], aside: BinaryIO) -> None:
        self._number = {thread: number for number, thread in enumerate(sorted(threads))}
        self._aside = aside
        self._places: tuple[array[int], ...] = tuple(array("q") for _ in range(3))
        self._starts = array("q", [0])

    def took(self, utterance: Utterance, line: bytes) -> bool:
        """Put a line aside if it is of such a thread."""
        number = self._number.get(utterance.thread_key)
        if number is None:
            return False
        for places, value in zip(self._places, (number, utterance.sent_at or 0, utterance.position), strict=True):
            places.append(value)
        self._starts.append(self._starts[-1] + len(line))
        self._aside.write(line)
        return True

    def in_order(self) -> Iterator[bytes]:
        """Yield the lines by thread, time and number; of one place, in the order of their letters."""
        threads, times, numbers = (np.frombuffer(places, np.int64) for places in self._places)
        if not len(threads):
            return
        order = array("q", np.lexsort((numbers, times, threads)).tobytes())
        for _, alike in groupby(order, key=self._place):
            yield from sorted(map(self._line, alike))

    def _place(self, index: int) -> tuple[int, ...]:
        return tuple(places[index] for places in self._places)

    def _line(self, index: int) -> bytes:
        start = self._starts[index]
        self._aside.seek(start)
        return self._aside.read(self._starts[index + 1] - start)
