"""What the commands draw: what was asked for goes to stdout, progress, warnings and hints to stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from manera.machine import ranks
from manera.records import TrainingStep
from manera.voice.manifest import HeldOut

notes = Console(stderr=True, quiet=ranks.rank() > 0, highlight=False, markup=False, emoji=False)

FIRST_ROWS = 20
UNBOUNDED_WIDTH = 1_000_000


def say(text: str) -> None:
    """Tell the person on stderr something that is not the result."""
    notes.print(text, soft_wrap=True)


def show(text: str) -> None:
    """Print lines of the result on stdout."""
    print(text, flush=True)


def minutes(seconds: float) -> str:
    """Say how long something takes, in the unit that people would use."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def result(document: Mapping[str, Any] | msgspec.Struct) -> None:
    """Print one JSON document on stdout."""
    built = msgspec.to_builtins(document)
    print(json.dumps(built, ensure_ascii=False, indent=2), flush=True)


def show_table(columns: Iterable[str], rows: Iterable[Iterable[object]], limit: int | None = None) -> None:
    """Draw a table on stdout; columns after the first are numbers.

    Past the limit a line says how many rows are left. On no terminal a table is as wide as it needs to be.
    """
    found = list(rows)
    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in found[:limit]:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else UNBOUNDED_WIDTH
    Console(width=width, highlight=False, markup=False, emoji=False).print(table)
    if limit is not None and len(found) > limit:
        show(f"… and {len(found) - limit:,} more: --all")


def show_held_out(held_out: HeldOut) -> None:
    """Compare base and voice on held-out text."""
    rows = [
        (name, f"{likelihood.perplexity:.1f}", f"{likelihood.bits_per_byte:.3f}")
        for name, likelihood in (("untuned base", held_out.base), ("voice", held_out.voice))
    ]
    show_table(("held-out text, lower is better", "perplexity", "bits per byte"), rows)


def show_verdict(recommended: bool | None, because: str) -> None:
    """Say in one line whether a voice is recommended; None where the gate could not be asked."""
    verdict = {True: "recommended", False: "NOT recommended", None: "no recommendation"}[recommended]
    show(f"{verdict}: {because}")


class TrainingProgress:
    """A bar with tokens/s, time left and losses; on no terminal, a line whenever held-out text was scored."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=None, speed="", training="", held_out="")
        self._tokens = 0
        self._seconds = 0.0
        self._held_out = "-"

    def advance(self, step: TrainingStep) -> None:
        """Draw what one step did."""
        self._tokens += step.tokens
        self._seconds += step.seconds
        speed = f"{self._tokens / self._seconds:,.0f} tokens/s"
        if step.validation_loss is not None:
            self._held_out = f"{step.validation_loss:.3f}"
            if not notes.is_terminal:
                say(f"step {step.step}/{step.steps}  loss {step.loss:.3f}  held-out {self._held_out}  {speed}")
        if step.rows_at_once is not None:
            say(f"memory ran out at step {step.step}: now {step.rows_at_once} rows at once, in the same batches")
        self._bar.update(
            self._task,
            total=step.steps,
            completed=step.step,
            speed=speed,
            training=f"{step.loss:.3f}",
            held_out=self._held_out,
        )


@contextmanager
def training_progress() -> Iterator[TrainingProgress]:
    """Draw a training run for the length of the block."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[speed]}  loss {task.fields[training]}  held-out {task.fields[held_out]}"),
    )
    with Progress(*columns, console=notes, disable=not notes.is_terminal) as bar:
        yield TrainingProgress(bar)


def stream_to_stdout(pieces: Iterable[str]) -> str:
    """Print pieces of text as they come; return the whole."""
    written = []
    for piece in pieces:
        written.append(piece)
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()
    return "".join(written)
