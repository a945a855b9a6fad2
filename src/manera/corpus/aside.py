"""Utterances that are put aside in a file until all have been read, and what was found of each meanwhile.

Of an utterance four bytes stay in memory: the number of its conversation.
"""

from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from manera.corpus.cluster import over_cluster
from manera.corpus.processes import in_order, usual_workers
from manera.corpus.repeats import MayRepeat, shared_bands
from manera.corpus.studying import BATCH, LONG, Batch, Findings, Manner, study, study_lines
from manera.records import Utterance

MANY = 100_000
"""From so many utterances on, several processes are begun sooner than one is done."""

_LINES, _FOUND, _SIGNATURES = "aside.jsonl", "aside.found", "aside.signatures"
# Of what is found: words and characters, four bytes each, and one byte more.
_BYTES = 9


class Studied(NamedTuple):
    """An utterance, its line in the file, and what was found of it: words, characters without white space, and flags.

    may_repeat: set where somebody may have written nearly the same text, or will. conversation: its number.
    """

    utterance: Utterance
    line: bytes
    words: int
    characters: int
    flags: int
    may_repeat: MayRepeat | None
    conversation: int


class Aside:
    """Files in a folder of one's own, which are gone with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = (folder / _LINES).open("wb")
        self._encode = msgspec.json.Encoder().encode_lines
        self._held: list[Utterance] = []
        self._batches: list[Batch] = []
        self._end = 0
        self._conversations = array("I")

    def __enter__(self) -> "Aside":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        for name in (_LINES, _FOUND, _SIGNATURES):
            (self._folder / name).unlink(missing_ok=True)

    def put(self, utterance: Utterance, conversation: int) -> None:
        """Put an utterance at the end."""
        self._conversations.append(conversation)
        self._held.append(utterance)
        if len(self._held) == BATCH:
            self._write()

    def studied(self, manner: Manner, workers: int | None, ray: str | None) -> Iterator[Studied]:
        """Yield all in order when each has been studied.

        workers: processes that share in it, as many as are usual if None. ray: address of a cluster that does it.
        """
        self._write()
        self._lines.close()
        with (self._folder / _FOUND).open("w+b") as found, (self._folder / _SIGNATURES).open("w+b") as written:
            for one in self._findings(manner, workers, ray):
                found.write(one.words + one.characters + one.found)
                written.write(one.signatures)
            found.seek(0)
            yield from self._walk(found, shared_bands(written))

    def _findings(self, manner: Manner, workers: int | None, ray: str | None) -> Iterator[Findings]:
        if ray is not None:
            return over_cluster(partial(study_lines, manner), map(Batch.lines, self._batches), ray)
        if workers is None:
            workers = usual_workers() if len(self._conversations) >= MANY else 1
        return in_order(partial(study, manner), self._batches, min(workers, len(self._batches)))

    def _walk(self, found: BinaryIO, long: Iterator[MayRepeat]) -> Iterator[Studied]:
        decode = msgspec.json.Decoder(Utterance).decode
        conversations = iter(self._conversations)
        with (self._folder / _LINES).open("rb") as lines:
            for batch in self._batches:
                data = memoryview(found.read(_BYTES * batch.utterances))
                numbers = data[: 8 * batch.utterances].cast("I")
                words, characters = numbers[: batch.utterances], numbers[batch.utterances :]
                for one in zip(words, characters, data[8 * batch.utterances :], strict=True):
                    line = lines.readline()
                    again = next(long) if one[2] & LONG else None
                    yield Studied(
                        decode(line), line, *one, again if again and again.shared else None, next(conversations)
                    )

    def _write(self) -> None:
        if not self._held:
            return
        data = self._encode(self._held)
        self._lines.write(data)
        self._batches.append(Batch(self._folder / _LINES, self._end, len(data), len(self._held)))
        self._end += len(data)
        self._held = []
