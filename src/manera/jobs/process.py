"""What a job's process runs: ``python -m manera.jobs.process FOLDER LOCK``."""

import os
import sys
import traceback
from pathlib import Path

import msgspec

from manera import config
from manera.jobs import uploads
from manera.jobs.folder import ORDER
from manera.jobs.settings import JobsConfig
from manera.jobs.uploads import UploadOrder


def main(folder: Path, lock: int) -> None:
    """Do what is ordered in a folder. lock: the open file that tells that this process lives; its own have none."""
    os.set_inheritable(lock, False)
    config.let_threads_sleep()  # these take effect only before torch is loaded
    config.use_large_pages()
    order = msgspec.json.decode((folder / ORDER).read_bytes(), type=UploadOrder)
    uploads.import_upload(folder, order, config.resolve(JobsConfig, "jobs", {}))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except Exception as error:  # its message may quote somebody: only where it was is written down
        sys.stderr.write("\n".join([type(error).__name__, *traceback.format_tb(error.__traceback__)]))
        sys.exit(1)
