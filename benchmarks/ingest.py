"""How much it costs to import a chat: ``python benchmarks/ingest.py``.

A synthetic export of 160,000 messages is imported in a child process, whose CPU seconds and peak
memory are read from the operating system: interpreter start, hashing and writing included. The
peer is the usual way: json.load, then a loop that joins the text parts and writes JSON Lines.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine

MESSAGES = 160_000
RUNS = 3
SEED = 20
TARGET_CPU_SECONDS = 2.0
TARGET_MEGABYTES = 120
_WORDS = """
    привет как дела сегодня пойдём завтра а вот и нет ладно хорошо спасибо ок ну да может быть позже
    напишу смотри там очередь до вечера зайду в магазин купить хлеба надо подумать really nice
""".split()  # noqa: SIM905

IMPORT = """
import sys
from pathlib import Path
from manera.corpus.storage import write
from manera.sources.reading import read
export, folder = Path(sys.argv[1]), Path(sys.argv[2])
write(read([export]), folder)
"""
PEER = """
import json, sys
from pathlib import Path
export, folder = Path(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
chat = json.loads(export.read_text("utf-8"))
with (folder / "utterances.jsonl").open("w", encoding="utf-8") as out:
    for message in chat["messages"]:
        text = message.get("text", "")
        if isinstance(text, list):
            text = "".join(part if isinstance(part, str) else part["text"] for part in text)
        if message["type"] == "message" and text:
            line = {"speaker_id": message["from_id"], "speaker": message["from"], "text": text,
                    "thread": chat["name"], "position": message["id"],
                    "sent_at": int(message["date_unixtime"])}
            out.write(json.dumps(line, ensure_ascii=False) + "\\n")
"""


def synthetic_message(number: int, seconds: int, chance: random.Random) -> dict[str, Any]:
    """Return a message as Telegram Desktop 5 writes it."""
    sender = chance.choice((("Аня", "user1"), ("Boris", "user2")))
    words = " ".join(chance.choices(_WORDS, k=chance.randrange(1, 20)))
    message: dict[str, Any] = {
        "id": number,
        "type": "message",
        "date": "2020-10-13T23:31:04",
        "date_unixtime": str(seconds),
        "from": sender[0],
        "from_id": sender[1],
        "text": words,
        "text_entities": [{"type": "plain", "text": words}],
    }
    kind = chance.random()
    if kind < 0.1:
        parts = [words + "\n", {"type": "link", "text": "https://example.org"}]
        message |= {"text": parts, "text_entities": [{"type": "plain", "text": words}, parts[1]]}
    elif kind < 0.25:
        message["reply_to_message_id"] = number - 1
    elif kind < 0.32:
        message |= {"file": "stickers/1.webp", "media_type": "sticker", "text": "", "text_entities": []}
    elif kind < 0.34:
        message |= {"type": "service", "action": "phone_call", "text": "", "text_entities": []}
    return message


def write_export(path: Path) -> None:
    """Write it message by message: a child's peak memory starts from that of its parent."""
    chance = random.Random(SEED)
    seconds = 1_500_000_000
    with path.open("w", encoding="utf-8") as out:
        out.write('{\n "name": "Аня",\n "type": "personal_chat",\n "id": 1,\n "messages": [')
        for number in range(1, MESSAGES + 1):
            seconds += chance.randrange(1, 900)
            message = synthetic_message(number, seconds, chance)
            out.write(",\n" if number > 1 else "\n")
            out.write(json.dumps(message, ensure_ascii=False, indent=1))
        out.write("\n ]\n}\n")


def measure(program: str, export: Path, folder: Path) -> tuple[float, float]:
    """Run a program in a child; return its CPU seconds (user and system) and peak resident MB."""
    child = subprocess.Popen([sys.executable, "-c", program, str(export), str(folder)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"the child failed with status {child.returncode}")
    kilobytes = usage.ru_maxrss / 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return usage.ru_utime + usage.ru_stime, kilobytes / 1024


def main() -> None:
    runs: dict[str, list[tuple[float, float]]] = {"manera": [], "json.load": []}
    with tempfile.TemporaryDirectory() as place:
        export = Path(place) / "result.json"
        write_export(export)
        export_megabytes = export.stat().st_size / 2**20
        for run in range(RUNS):
            for name, program in (("manera", IMPORT), ("json.load", PEER)):
                runs[name].append(measure(program, export, Path(place) / f"{name}-{run}"))
    figures = {
        name: {
            "cpu_seconds": round(statistics.median(seconds for seconds, _ in measured), 2),
            "cpu_seconds_spread": [round(min(measured)[0], 2), round(max(measured)[0], 2)],
            "peak_resident_megabytes": round(statistics.median(memory for _, memory in measured), 1),
            "messages_per_cpu_second": round(MESSAGES / statistics.median(seconds for seconds, _ in measured)),
        }
        for name, measured in runs.items()
    }
    print(f"{MESSAGES:,} messages, {export_megabytes:.0f} MB of JSON; median of {RUNS} runs")
    print(f"{'':12}{'CPU s':>8}{'peak MB':>10}{'messages / CPU s':>20}")
    for name, row in figures.items():
        print(
            f"{name:12}{row['cpu_seconds']:8.2f}{row['peak_resident_megabytes']:10.1f}"
            f"{row['messages_per_cpu_second']:20,}"
        )
    result = {
        "benchmark": "ingest",
        "command": "python benchmarks/ingest.py",
        "messages": MESSAGES,
        "export_megabytes": round(export_megabytes, 1),
        "runs": RUNS,
        "seed": SEED,
        "targets": {"cpu_seconds": TARGET_CPU_SECONDS, "peak_resident_megabytes": TARGET_MEGABYTES},
        **figures,
        **machine.described("msgspec"),
    }
    machine.tell(result, "ingest" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
