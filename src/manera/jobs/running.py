"""A job's process: begun with its folder locked, so that it is known to live until the lock goes with it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from manera.errors import JobError
from manera.jobs.folder import LOCK, LOG, PID, private_file

if sys.platform != "win32":
    import fcntl


def locked(folder: Path) -> BinaryIO:
    """Lock a new job's folder for the process that is to come; raise JobError where a lock outlives its process."""
    if sys.platform == "win32":
        raise JobError("jobs cannot be run by the server on Windows", "manera up PATH, or run the server under WSL")
    lock = private_file(folder / LOCK)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


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


def send(folder: Path, number: signal.Signals) -> None:
    """Send a signal to a job's process, if it lives."""
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        if is_running(folder):
            os.kill(int((folder / PID).read_text("ascii")), number)
