"""How a corpus grows: ``python benchmarks/scale.py [MESSAGES]``, by default a million.

A synthetic Telegram export of so many messages is imported by one process and by two, and added to itself grown by a
hundredth; exports of half as many that overlap are imported together; an export of two gigabytes is imported, and 5,000
small files. Words are drawn from 20,000 as they are in texts, by Zipf's law; one message in twenty names somebody, one
in fifty holds a phone number. Each row is an import in a child process: its seconds, the processor's of it and of its
own children, and the peak of the memory of all of them together, read ten times a second (what processes share is
counted once, as the system tells it: PSS).
"""

import bisect
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import machine
from ingest import synthetic_message

MESSAGES = 1_000_000
LARGE_BYTES = 2 << 30
SMALL_FILES = 5_000
TARGET_SECONDS = 60
TARGET_MEGABYTES = 400
SEED = 20
WORDS = 20_000
LOOKS_A_SECOND = 10
NAMES = ("Аня", "Боря", "Костя", "Вера", "Света", "Дима", "Оля", "Миша", "Emma", "John")
SYLLABLES = ("ка", "то", "ни", "ре", "во", "ла", "сти", "по", "ма", "го", "ди", "шу", "бе", "лё", "хи", "зна")

IMPORT = """
import sys
from pathlib import Path
from manera.corpus.cleaning import Cleaning
from manera.corpus.{module} import {function}
from manera.sources.reading import read
folder, workers, *paths = sys.argv[1:]
{function}(read(map(Path, paths)), Path(folder), cleaning=Cleaning(workers=int(workers)))
"""
WRITE = IMPORT.format(module="storage", function="write")
ADD = IMPORT.format(module="adding", function="add")


class Words:
    """Words of a made-up language, drawn as often as words are."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words = ["".join(rng.choices(SYLLABLES, k=1 + rank % 4)) for rank in range(WORDS)]
        self._upto = list(itertools.accumulate(1 / (rank + 2) for rank in range(WORDS)))

    def text(self) -> str:
        """Return up to nineteen words, and now and then a name or a number."""
        rng = self._rng
        drawn = (rng.random() * self._upto[-1] for _ in range(rng.randrange(1, 20)))
        text = " ".join(self._words[bisect.bisect(self._upto, place)] for place in drawn)
        kind = rng.random()
        if kind < 0.05:
            return f"{rng.choice(NAMES)}, {text}"
        return f"{text} +7 912 345-{rng.randrange(10, 99)}-{rng.randrange(10, 99)}" if kind < 0.07 else text


def messages(count: int | None) -> Iterator[str]:
    """Yield messages as Telegram Desktop writes them; without end, if there is no count."""
    rng = random.Random(SEED)
    words = Words(rng)
    seconds = 1_500_000_000
    for number in range(1, count + 1) if count else itertools.count(1):
        seconds += rng.randrange(1, 900) if rng.random() < 0.95 else rng.randrange(20_000, 80_000)
        message = synthetic_message(number, seconds, rng)
        if isinstance(message["text"], str) and message["text"]:
            message["text"] = words.text()
            message["text_entities"] = [{"type": "plain", "text": message["text"]}]
        yield json.dumps(message, ensure_ascii=False, indent=1)


def write_export(path: Path, count: int | None, first: int = 0, bytes_wanted: int = 0) -> None:
    """Write an export, of some messages or of so many bytes."""
    with path.open("w", encoding="utf-8") as out:
        out.write('{"name": "Аня", "type": "personal_chat", "id": 1, "messages": [')
        before = "\n"
        for number, message in enumerate(messages(count)):
            if number < first:
                continue
            out.write(before + message)
            before = ",\n"
            if bytes_wanted and number % 1000 == 0 and out.tell() > bytes_wanted:
                break
        out.write("\n]}\n")


def write_small_files(folder: Path) -> None:
    """Write many short texts."""
    words = Words(random.Random(SEED))
    folder.mkdir()
    for number in range(SMALL_FILES):
        (folder / f"{number:05}.txt").write_text("\n\n".join(words.text() for _ in range(5)), "utf-8")


def measured(program: str, folder: Path, workers: int, paths: Sequence[Path]) -> dict[str, Any]:
    """Run an import in a child: seconds on the clock and of processors, and megabytes of it and its children."""
    before = os.times()
    started = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", program, str(folder), str(workers), *map(str, paths)])
    peak = 0
    while child.poll() is None:
        peak = max(peak, sum(map(memory_of, [child.pid, *children_of(child.pid)])))
        time.sleep(1 / LOOKS_A_SECOND)
    seconds = time.monotonic() - started
    if child.returncode:
        raise SystemExit(f"the child failed with status {child.returncode}")
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    manifest = json.loads((folder / "corpus.json").read_bytes())
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(processor, 1),
        "peak_megabytes": round(peak / 2**20, 1),
        "workers": workers,
        "utterances": manifest["ledger"]["kept"],
        "fingerprint": manifest["fingerprint"],
    }


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, if it still lives."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def memory_of(pid: int) -> int:
    """Return the bytes of a process's share of memory, none if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def rows(place: Path, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure one row after the other; what a row reads is gone before the next is written."""
    export, grown = place / "result.json", place / "grown.json"
    write_export(export, count)
    yield "import, one worker", measured(WRITE, place / "one", 1, [export])
    yield "import, two workers", measured(WRITE, place / "corpus", 2, [export])
    write_export(grown, count + count // 100)
    export.unlink()
    yield "add a hundredth", measured(ADD, place / "corpus", 2, [grown])
    write_export(export, count // 2 + count // 20)
    write_export(grown, count, first=count // 2 - count // 20)
    yield "two that overlap", measured(WRITE, place / "two", 2, [export, grown])
    grown.unlink()
    write_export(export, None, bytes_wanted=LARGE_BYTES * count // MESSAGES)
    yield "an export of 2 GB", measured(WRITE, place / "large", 2, [export])
    small = place / "small"
    write_small_files(small)
    yield "small files", measured(WRITE, place / "texts", 2, [small])


def main() -> None:
    count = next((int(argument) for argument in sys.argv[1:] if argument.isdigit()), MESSAGES)
    print(f"{'':22}{'utterances':>12}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}  fingerprint")
    figures = {}
    with tempfile.TemporaryDirectory() as place:
        for name, row in rows(Path(place), count):
            figures[name] = row
            print(
                f"{name:22}{row['utterances']:12,}{row['seconds']:9.1f}{row['cpu_seconds']:8.1f}"
                f"{row['peak_megabytes']:9.1f}  {row['fingerprint'][:12]}",
                flush=True,
            )
    result = {
        "benchmark": "scale",
        "command": "python benchmarks/scale.py",
        "messages": count,
        "small_files": SMALL_FILES,
        "seed": SEED,
        "targets": {"seconds": TARGET_SECONDS, "peak_megabytes": TARGET_MEGABYTES},
        "rows": figures,
        **machine.described("msgspec"),
    }
    machine.tell(result, "scale" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
