"""A job's process: begun with its folder locked, so that it is known to live until the lock goes with it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from manera.errors import JobError
from manera.files import replacing_folder
from manera.jobs.folder import LOCK, LOG, ORDER, PID, job_folders, jobs_folder, new_id, private_file, write_record

if sys.platform != "win32":
    import fcntl


SECONDS_KEPT = 24 * 3600


def locked(folder: Path) -> BinaryIO:
    """Lock a new job's folder for the process that is to come; raise JobError where a lock outlives its process."""
    if sys.platform == "win32":
        raise JobError("jobs cannot be run by the server on Windows", "manera up PATH, or run the server under WSL")
    lock = private_file(folder / LOCK)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def place(kind: str, order: msgspec.Struct) -> tuple[Path, BinaryIO]:
    """Make a new job's folder, locked for the process that is to come; those of servers that died go after a day."""
    for old in job_folders(kind):
        if time.time() - old.stat().st_mtime > SECONDS_KEPT and not is_running(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = jobs_folder(kind) / new_id()
    with replacing_folder(folder) as new:
        write_record(new / ORDER, order)
        lock = locked(new)
    return folder, lock


def start(folder: Path, lock: BinaryIO, ended: Callable[[], object] = lambda: None) -> int:
    """Start a job's process in a session of its own and hand it the lock; return its id.

    It goes on when the server ends. ended: called in a thread when the process has ended, if the server still lives.
    """
    with lock, private_file(folder / LOG) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "manera.jobs.process", str(folder), str(lock.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
    (folder / PID).write_text(str(process.pid), "ascii")

    def wait() -> None:
        process.wait()
        ended()

    threading.Thread(target=wait, name="manera-job", daemon=True).start()
    return process.pid


def is_running(folder: Path) -> bool:
    """Tell whether a job's process lives."""
    if sys.platform != "win32":
        with suppress(FileNotFoundError), (folder / LOCK).open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def wait_for(folder: Path) -> None:
    """Wait until a job's process has ended, in whatever way."""
    if sys.platform != "win32":
        with suppress(FileNotFoundError), (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one thread or process at a time into the block, whichever server it is of."""
    with path.open("ab") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def send(folder: Path, number: signal.Signals) -> None:
    """Send a signal to a job's process, if it lives."""
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        if is_running(folder):
            os.kill(int((folder / PID).read_text("ascii")), number)
