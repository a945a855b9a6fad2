"""What a voice of synthetic text is worth against one of real text: ``python benchmarks/synthesis.py --save``.

A voice of the bundled channel writes texts through ``manera serve``, over HTTP as any other API; they become a corpus,
and that a voice, trained for as many minutes. Both voices and the untuned base then score the same real text that the
first voice held out: bits per byte, with 95 % intervals. Topics are those of the real training text; no text of it, and
none that was held out, is shown or may be copied.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

import machine

ROOT = Path(__file__).parents[1]
CHANNEL = ROOT / "examples" / "channel-ru" / "result.json"
REAL, SYNTHETIC = "real", "synthetic"
MAX_TOKENS = 12_000
"""Of held-out text that is scored."""


def main() -> None:
    """Train, write, train again, score; print one JSON line, and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=CHANNEL, help="what the first voice learns from")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=2.5, help="of training steps, of each voice")
    parser.add_argument("--work", type=Path, help="keep everything here, and go on from what is there")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    with nullcontext(given.work) if given.work else TemporaryDirectory() as folder:
        os.environ["MANERA_HOME"] = f"{folder}/home"
        work, minutes = Path(folder), str(given.minutes)
        if not (work / REAL).is_dir():
            manera("import", given.source, "--to", work / REAL)
        learned = trained(work / REAL, REAL, minutes)
        (work / "style.md").write_text("{topic}", "utf-8")
        (work / "topics.txt").write_text("\n".join(topics()), "utf-8")
        if not (work / SYNTHETIC).is_dir():
            with served() as url:
                write(work, url, given.texts)
        made = json.loads((work / SYNTHETIC / "synthesis.json").read_text("utf-8"))
        again = trained(work / SYNTHETIC, SYNTHETIC, minutes)
        document = {
            "benchmark": "synthesis",
            **machine.described("manera", "torch"),
            "source": given.source.name,
            "minutes": given.minutes,
            "texts": made["texts"],
            "asked": made["spent"]["calls"],
            "topics": made["topics"],
            "dropped": made["ledger"]["dropped"],
            "diversity": made["diversity"],
            "words": {name: words_in(work / name) for name in (REAL, SYNTHETIC)},
            "steps": {REAL: learned["recipe"]["steps"], SYNTHETIC: again["recipe"]["steps"]},
            "held_out_of_its_own": {REAL: learned["held_out"], SYNTHETIC: again["held_out"]},
            "bits_per_byte": worth(),
        }
    machine.tell(document, "synthesis" if given.save else None)


def manera(*arguments: str | Path) -> Any:
    """Run a command; return its document."""
    print("manera", *arguments, file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "manera.cli.main", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def trained(corpus: Path, name: str, minutes: str) -> Any:
    """Train a voice unless there is one; return its manifest."""
    manifest = Path(os.environ["MANERA_HOME"]) / "voices" / name / "manera.json"
    if not manifest.is_file():
        manera("train", corpus, "--name", name, "--minutes", minutes)
    return json.loads(manifest.read_text("utf-8"))


def topics() -> list[str]:
    """Return what the posts that the first voice learned from were asked for by."""
    from manera.evaluation.voice_dataset import read_part
    from manera.voice.manifest import read_voice

    voice = read_voice(REAL)
    before, _, after = (voice.instruction or "{topic}").partition("{topic}")
    asked = [example.messages[0].content for example in read_part(voice, "train")]
    return list(dict.fromkeys(one.removeprefix(before).removesuffix(after).replace("\n", " ") for one in asked))


@contextmanager
def served() -> Iterator[str]:
    """Serve the first voice on a free port; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "manera.cli.main", "serve", REAL, "--port", port]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not answers(f"http://127.0.0.1:{port}/v1/models"):
            if server.poll() is not None:
                raise SystemExit(f"manera serve ended with {server.returncode}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    """Tell whether a server is there."""
    try:
        return httpx2.get(url, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def write(work: Path, url: str, count: int) -> None:
    """Let the served voice write a corpus; as many texts about each topic as are needed."""
    topic_count = len((work / "topics.txt").read_text("utf-8").splitlines())
    options: dict[str, str | Path] = {
        "--style": work / "style.md",
        "--topics": work / "topics.txt",
        "--out": work / SYNTHETIC,
        "--examples": work / REAL,
        "--count": str(count),
        "--texts-per-topic": str(-(-count // topic_count)),
        "--max-tokens": "400",
        "--url": url,
        "--model": REAL,
        "--name": SYNTHETIC,
    }
    manera("synthesize", *(part for pair in options.items() for part in pair))


def words_in(corpus: Path) -> int:
    """Count the words that a corpus's main speaker wrote."""
    found = json.loads((corpus / "corpus.json").read_text("utf-8"))
    return int(found["speakers"][0]["words"])


def worth() -> dict[str, Any]:
    """Score the real text that was held out: by the untuned base, and by both voices."""
    from manera.evaluation.measures import intervals
    from manera.evaluation.opening import Options, open_voice
    from manera.evaluation.parts import against
    from manera.evaluation.report.metric import metric
    from manera.evaluation.scoring import bits

    opened = open_voice(REAL, Options())
    found = {}
    for name, encoder, scale in (("base", opened.encoders.base, 0.0), (REAL, opened.encoders.voice, 1.0)):
        own = opened.stretches.held_out(encoder, MAX_TOKENS)
        scored = bits(opened.model, [one.encoded for one in own], scale)
        ratio = intervals.ratio(scored, [one.bytes for one in own], 0, [one.conversation for one in own])
        found[name] = metric(name, ratio, "bits_per_byte", len(own), "lower", "stretches")
    (other,) = against.measure(SYNTHETIC, opened.voice, opened.base, opened.stretches, MAX_TOKENS, 0)
    found[SYNTHETIC] = other
    return {
        name: {"value": _rounded(one.value), "low": _rounded(one.low), "high": _rounded(one.high), "n": one.n}
        for name, one in found.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    main()
