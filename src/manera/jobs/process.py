"""What a job's process runs: ``python -m manera.jobs.process FOLDER LOCK``."""

import os
import sys
import traceback
from pathlib import Path

import msgspec

from manera import config
from manera.errors import ManeraError
from manera.jobs import exports, uploads
from manera.jobs.exports import ExportOrder, Outcome
from manera.jobs.folder import ORDER, STATE, told, write_record
from manera.jobs.plans import Planned, PlanOrder, plan
from manera.jobs.settings import JobsConfig
from manera.jobs.trainings import Order as TrainingsOrder
from manera.jobs.uploads import UploadOrder

Order = UploadOrder | PlanOrder | ExportOrder | TrainingsOrder


def main(folder: Path, lock: int) -> None:
    """Do what is ordered in a folder. lock: the open file that tells that this process lives; its own have none."""
    os.set_inheritable(lock, False)
    config.let_threads_sleep()  # these take effect only before torch is loaded
    config.use_large_pages()
    order: Order = msgspec.json.decode((folder / ORDER).read_bytes(), type=Order)
    match order:
        case UploadOrder():
            uploads.import_upload(folder, order, config.resolve(JobsConfig, "jobs", {}))
        case PlanOrder():
            write_record(folder / STATE, _planned(folder, order))
        case ExportOrder():
            write_record(folder / STATE, _exported(folder, order))
        case _:
            from manera.jobs import training_process

            training_process.run(folder, order)


def _planned(folder: Path, order: PlanOrder) -> Planned:
    try:
        return Planned(plan(order))
    except ManeraError as error:
        return Planned(error=told(error, folder))


def _exported(folder: Path, order: ExportOrder) -> Outcome:
    try:
        exports.write_export(folder, order)
    except ManeraError as error:
        return Outcome(told(error, folder))
    return Outcome()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except Exception as error:  # its message may quote somebody: only where it was is written down
        sys.stderr.write("\n".join([type(error).__name__, *traceback.format_tb(error.__traceback__)]))
        sys.exit(1)
