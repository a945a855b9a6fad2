"""Answers of a server, each kept on the disk before anything else is done with it: nothing is paid for twice."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from manera.clock import Clock
from manera.errors import GenerationError, ManeraError
from manera.files import replacing
from manera.generation.server import Answer, Ask, Client, Server
from manera.generation.spending import Purse

Key = tuple[str, str, int | None]
"""A model, the hash of what it was asked, and the seed."""


def key(model: str, ask: Ask) -> Key:
    """Return what an answer is known by."""
    return model, ask.sha256, ask.seed


def by_key(answers: Iterable[Answer]) -> dict[Key, Answer]:
    """Return answers by what they are known by."""
    return {(one.model, one.prompt_sha256, one.seed): one for one in answers}


class Answers:
    """The answers of a file, by what was asked, of which model and with which seed."""

    def __init__(self, path: Path, found: Sequence[Answer], out: BinaryIO) -> None:
        self.path = path
        self._out = out
        self._known = by_key(found)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._known.values())

    def find(self, model: str, ask: Ask) -> Answer | None:
        """Return what was answered before; None where nothing was."""
        return self._known.get(key(model, ask))

    def keep(self, answer: Answer) -> None:
        """Write an answer down; it stays, whatever becomes of this process or of the machine."""
        self._out.write(msgspec.json.encode(answer) + b"\n")
        self._out.flush()
        os.fsync(self._out.fileno())
        self._known[answer.model, answer.prompt_sha256, answer.seed] = answer


@contextmanager
def open_answers(path: Path) -> Iterator[Answers]:
    """Open a file of answers, or begin one, for its owner alone; what was cut off in its last line is taken out.

    Raises GenerationError where it cannot be written, or a line before the last is no answer.
    """
    try:
        found = _readable(path)
        out = path.open("ab")
        path.chmod(0o600)
    except OSError as error:
        raise GenerationError(f"{path} cannot be written: {error.strerror}", "choose another place") from error
    with out:
        yield Answers(path, found, out)


def read_answers(path: Path) -> list[Answer]:
    """Return the answers of a file, but for a last line that was cut off; nothing where there is none.

    Raises GenerationError where an earlier line is no answer.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Answer], bytes, bytes]:
    """Return the answers, the whole lines, and what was cut off."""
    stored = path.read_bytes() if path.exists() else b""
    whole, newline, rest = stored.rpartition(b"\n")
    try:
        return msgspec.json.Decoder(Answer).decode_lines(whole), whole + newline, rest
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GenerationError(
            f"{path} holds what is no answer: {error}",
            "mend that line, or move the file away: then all is asked anew",
        ) from error


def _readable(path: Path) -> list[Answer]:
    """Read the answers of a file, which afterwards ends in a whole line."""
    found, whole, rest = _read(path)
    if rest:
        with replacing(path) as unfinished:
            unfinished.write_bytes(whole)
    return found


def answered(
    server: Server,
    asks: Sequence[Ask],
    kept: Answers,
    at_once: int,
    purse: Purse | None = None,
    clock: Clock | None = None,
) -> Iterator[tuple[int, Answer]]:
    """Yield the answer of each question with its place, known ones first and the others as they come.

    Where one fails no other is begun, those under way are waited for and kept, and then its error is raised.
    """
    missing = []
    for place, ask in enumerate(asks):
        known = kept.find(server.model, ask)
        if known:
            yield place, known
        else:
            missing.append((place, ask))
    if missing:
        yield from _run(lambda: _answers(Client(server, clock), missing, kept, at_once, purse or Purse(None, None)))


def models(server: Server, clock: Clock | None = None) -> list[str]:
    """Return what a server serves. Raises GenerationError."""

    async def listed() -> list[str]:
        client = Client(server, clock)
        try:
            return await client.models()
        finally:
            await client.close()

    return asyncio.run(listed())


def _run(begin: Callable[[], AsyncGenerator[tuple[int, Answer]]]) -> Iterator[tuple[int, Answer]]:
    """Walk through what comes in an event loop, which stands still between the answers."""
    with asyncio.Runner() as runner:

        async def begun() -> AsyncGenerator[tuple[int, Answer]]:
            return begin()

        async def following() -> tuple[int, Answer] | None:
            return await anext(coming, None)

        async def closed() -> None:
            await coming.aclose()

        coming = runner.run(begun())
        try:
            while item := runner.run(following()):
                yield item
        finally:
            runner.run(closed())


async def _answers(
    client: Client, missing: Sequence[tuple[int, Ask]], kept: Answers, at_once: int, purse: Purse
) -> AsyncGenerator[tuple[int, Answer]]:
    arrived: asyncio.Queue[tuple[int, Answer] | None] = asyncio.Queue()
    waiting = iter(missing)
    failed: list[ManeraError | OSError] = []

    async def work() -> None:
        for place, ask in waiting:
            if failed:
                return
            try:
                answer = await _paid(client, ask, purse)
                kept.keep(answer)
            except (ManeraError, OSError) as error:
                failed.append(error)
                return
            arrived.put_nowait((place, answer))

    async def all_of_it() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, len(missing))):
                    group.create_task(work())
        finally:
            arrived.put_nowait(None)

    working = asyncio.create_task(all_of_it())
    try:
        while item := await arrived.get():
            yield item
        await working
        if failed:
            raise failed[0]
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await client.close()


async def _paid(client: Client, ask: Ask, purse: Purse) -> Answer:
    purse.reserve(ask)
    answer = None
    try:
        answer = await client.answer(ask)
        return answer
    finally:
        purse.settle(ask, answer)
