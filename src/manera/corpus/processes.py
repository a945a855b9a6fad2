"""Work that is shared out among processes, of which the results come in the order of what was asked.

Item N goes to worker N modulo their number, so that nothing depends on which of them is faster. A process lives as
long as the pipe that it is asked through, and so no longer than who asks, however that ends.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from manera.errors import CorpusError

MAX_BY_ITSELF = 4
"""More processes are started only when asked for: each takes memory, and what cannot be shared out is most by then."""

# So many items wait at each process: it is never idle, and what it answers is never much.
_WAITING = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


def usual_workers() -> int:
    """Return how many processes there are to be where nobody says."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_BY_ITSELF)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield what ``work`` makes of each item, in their order; with one worker, in this process.

    work and what it returns have to be picklable; items are small. Raises CorpusError when a process ends too early.
    """
    if workers < 2:
        yield from map(work, items)
        return
    with ExitStack() as stack:
        started = [stack.enter_context(_Worker()) for _ in range(workers)]
        for worker in started:
            worker.ask(work)
        asked: deque[_Worker] = deque()
        for number, item in enumerate(items):
            worker = started[number % workers]
            worker.ask(item)
            asked.append(worker)
            if len(asked) == _WAITING * workers:
                yield asked.popleft().answer()
        while asked:
            yield asked.popleft().answer()


class _Worker:
    """A process, and the pipes to it; interrupts of the terminal are for the one that asks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "manera.corpus.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._questions, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):  # what it was not told in time
            self._questions.close()

    def ask(self, item: object) -> None:
        """Hand on what is to be done."""
        try:
            pickle.dump(item, self._questions)
            self._questions.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def answer(self) -> Any:
        """Return what came of what was asked first of all that was not answered yet."""
        try:
            return pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError) as error:
            raise self._ended() from error

    def _ended(self) -> CorpusError:
        status = self._process.wait()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return CorpusError(
            f"a process that messages were cleaned in ended too early, {how}",
            "it may have lacked memory; one process needs less: --workers 1",
        )


def _answer_all() -> None:
    """Do what is asked through standard input until that ends; what is printed meanwhile goes to standard error."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        questions = sys.stdin.buffer
        try:
            work = pickle.load(questions)
            while True:
                pickle.dump(work(pickle.load(questions)), answers)
                answers.flush()
        except (EOFError, BrokenPipeError):
            os._exit(0)  # nobody asks any more


if __name__ == "__main__":
    _answer_all()
