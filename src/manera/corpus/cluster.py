"""Work that is shared out over the machines of a Ray cluster, of which the results come in the order of what was asked.

Tasks of Ray take lines as bytes: no machine but the first one needs to see the files (https://docs.ray.io/en/latest/
ray-core/walkthrough.html).
"""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from manera.errors import CorpusError

# So many items wait at each core: it is never idle, and what is held here is never much.
_WAITING = 3
_SECONDS_TO_ANSWER = 5

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cluster(work: Callable[[Item], Result], items: Iterable[Item], address: str) -> Iterator[Result]:
    """Yield what ``work`` makes of each item, in their order.

    address: of the head of the cluster that this machine belongs to, HOST:PORT, or ``auto``. work is handed on by name:
    every machine has manera installed. What a machine that is lost had to do is done by others. Raises CorpusError
    where Ray is not installed, no cluster answers, or an item fails.
    """
    ray = _connected(address)
    try:
        waiting = _WAITING * max(1, int(ray.cluster_resources().get("CPU", 1)))
        task, shared = ray.remote(_done), ray.put(work)
        asked: deque[Any] = deque()
        for item in items:
            asked.append(task.remote(shared, item))
            if len(asked) == waiting:
                yield ray.get(asked.popleft())
        while asked:
            yield ray.get(asked.popleft())
    except ray.exceptions.RayError as error:
        cause = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
        raise CorpusError(
            f"cleaning on the Ray cluster {address} failed: {cause}",
            "every machine needs this version of manera; without --ray all is done on this one",
        ) from error
    finally:
        ray.shutdown()


def _done(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)


def _connected(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it is read when Ray is imported
    try:
        import ray
    except ImportError as error:
        raise CorpusError("--ray needs Ray", 'pip install "manera[ray]"') from error
    try:
        _require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise CorpusError(
            f"no Ray cluster answers at {address}: {str(error).strip().splitlines()[0]}",
            "start one with ray start --head, let this machine join it, and name its address, HOST:PORT",
        ) from error
    return ray


def _require_answer(address: str) -> None:
    """Raise OSError or ValueError where nobody listens: Ray would try again for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
