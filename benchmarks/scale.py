"""How a corpus grows: ``python benchmarks/scale.py [MESSAGES]``, by default a million.

A synthetic Telegram export of so many messages is imported, added to itself grown by a hundredth, and 5,000 small
files are imported; each in a child process, whose seconds and peak memory are read from the operating system.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

import machine
from ingest import IMPORT, measure, synthetic_message

MESSAGES = 1_000_000
SMALL_FILES = 5_000
TARGET_SECONDS = 60
TARGET_MEGABYTES = 400
SEED = 20

ADD = IMPORT.replace("corpus.storage import write", "corpus.adding import add as write")


def write_export(path: Path, messages: int) -> None:
    """Write an export message by message: a child's peak memory starts from that of its parent."""
    rng = random.Random(SEED)
    seconds = 1_500_000_000
    with path.open("w", encoding="utf-8") as out:
        out.write('{"name": "Аня", "type": "personal_chat", "id": 1, "messages": [')
        for number in range(1, messages + 1):
            seconds += rng.randrange(1, 900)
            message = json.dumps(synthetic_message(number, seconds, rng), ensure_ascii=False, indent=1)
            out.write((",\n" if number > 1 else "\n") + message)
        out.write("\n]}\n")


def write_small_files(folder: Path) -> None:
    """Write many short texts."""
    rng = random.Random(SEED)
    folder.mkdir()
    for number in range(SMALL_FILES):
        text = "\n\n".join(str(synthetic_message(line, 0, rng)["text"]) for line in range(5))
        (folder / f"{number:05}.txt").write_text(text, "utf-8")


def timed(program: str, source: Path, folder: Path) -> dict[str, float]:
    """Run a program in a child: seconds on the clock, of the processor, and peak resident megabytes."""
    started = time.monotonic()
    processor, megabytes = measure(program, source, folder)
    seconds = time.monotonic() - started
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(processor, 1),
        "peak_resident_megabytes": round(megabytes, 1),
    }


def main() -> None:
    messages = next((int(argument) for argument in sys.argv[1:] if argument.isdigit()), MESSAGES)
    with tempfile.TemporaryDirectory() as place:
        export, grown, small = (Path(place) / name for name in ("result.json", "grown.json", "small"))
        write_export(export, messages)
        write_export(grown, messages + messages // 100)
        write_small_files(small)
        export_megabytes = export.stat().st_size / 2**20
        figures = {
            "import": timed(IMPORT, export, Path(place) / "corpus"),
            "add": timed(ADD, grown, Path(place) / "corpus"),
            "small files": timed(IMPORT, small, Path(place) / "texts"),
        }
    print(f"{messages:,} messages, {export_megabytes:,.0f} MB of JSON; {SMALL_FILES:,} small files")
    print(f"{'':14}{'seconds':>9}{'CPU s':>9}{'peak MB':>10}")
    for name, row in figures.items():
        print(f"{name:14}{row['seconds']:9.1f}{row['cpu_seconds']:9.1f}{row['peak_resident_megabytes']:10.1f}")
    result = {
        "benchmark": "scale",
        "command": "python benchmarks/scale.py",
        "messages": messages,
        "export_megabytes": round(export_megabytes, 1),
        "small_files": SMALL_FILES,
        "seed": SEED,
        "targets": {"seconds": TARGET_SECONDS, "peak_resident_megabytes": TARGET_MEGABYTES},
        **figures,
        **machine.described("msgspec"),
    }
    machine.tell(result, "scale" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
