"""Many files read on a Ray cluster: the same records, in the same order, as where one process reads them.

Every machine of the cluster has to see the files under the same paths.
"""

import logging
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from manera.errors import ManeraError, SourceError
from manera.records import SourceRecord
from manera.sources.finding import find
from manera.sources.reading import read_shard, shards
from manera.sources.settings import SourcesConfig

LOCAL = "local"
_BATCH = 2000


def read_on_ray(paths: Iterable[Path], address: str, settings: SourcesConfig | None = None) -> Iterator[SourceRecord]:
    """Yield what ``read`` yields; address: of a cluster, or "local". Raises what ``read`` raises, and SourceError."""
    files, skipped = find(paths)
    with _connected(address) as data:
        yield from skipped
        rows = [{"shard": pickle.dumps((shard, settings or SourcesConfig()))} for shard in shards(files)]
        if not rows:
            return
        for row in data.from_items(rows).flat_map(_records).iter_rows():
            found = pickle.loads(row["records"])
            if isinstance(found, ManeraError):
                raise found
            yield from found


def _records(row: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Read a shard, in a process of the cluster; an error goes back as a row, whole."""
    shard, settings = pickle.loads(row["shard"])
    records = read_shard(shard, settings=settings)
    try:
        while batch := list(islice(records, _BATCH)):
            yield {"records": pickle.dumps(batch)}
    except ManeraError as error:
        yield {"records": pickle.dumps(error)}


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Lend Ray Data, which keeps the order of rows; raise SourceError where there is no Ray, or no cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SourceError("Ray is not installed", "pip install 'manera[ray]'") from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SourceError(
            f"there is no Ray cluster at {address}: {error}", "start one: ray start --head, or take --ray local"
        ) from error
    try:
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray.data
    finally:
        ray.shutdown()
