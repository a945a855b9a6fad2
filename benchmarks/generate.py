"""How fast replies are written: ``python benchmarks/generate.py [--save]``.

Decoding, one stream: the trimmed base against the whole built-in model in the same llama.cpp, the trimmed base with a
random adapter of rank 16 on every linear layer beside it, and with the same adapter merged into it as ``manera serve
--merge`` does. Serving: the API, with its client in another process, against the engine called directly, at one and at
eight streams. Everything is greedy and interleaved; medians and the range of all runs are shown.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any

import torch
from fastapi import FastAPI

import machine
from manera.bases import base_model, gemma3, metadata
from manera.bases.catalogue import GEMMA_3_270M
from manera.bases.tokenizer import read_vocabulary
from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import read_format
from manera.generation.engine import Request, Token
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.listening import listen, server
from manera.serving.service import Bounds
from manera.voice import adapter, merging
from manera.voice.manifest import Sampling

TOKENS = 256
RUNS = 5
RANK = 16
LAYERS = 18
SEED = 20
STREAMS = (1, 8)
MIN_SPEED_UP = 2.0
MIN_SHARE_OF_ENGINE = 0.95
PROMPT = "Однажды вечером, когда на улице шёл дождь, я сидел у окна и думал о том, что"
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=TOKENS)

Speeds = dict[str, list[float]]


def main() -> None:
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), int(sys.argv[3]))
        return
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--save", action="store_true", help="write results/generate.json")
    given = options.parse_args()

    folder = base_model.prepare()
    decoding = measure_decoding(folder, given.runs)
    serving = measure_serving(folder, given.runs)
    print_table("decoding, one stream", decoding)
    print_table("serving, all streams together", serving)
    machine.tell(report(decoding, serving, given.runs), "generate" if given.save else None)


def measure_decoding(folder: Path, runs: int) -> Speeds:
    """Return each model's tokens per second after the first token, run by run."""
    trimmed = folder / "base.gguf"
    ids = prompt_ids(folder)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        whole = stack.enter_context(GEMMA_3_270M.whole())
        state = random_adapter(trimmed)
        adapter.write_gguf(state, place / "adapter.gguf", alpha=RANK, base=folder)
        adapter.write_merged(trimmed, state, 1.0, place / "merged.gguf", merging.FAST)  # what ``serve --merge`` opens
        models: dict[str, tuple[Path, dict[str, Path], list[int]]] = {
            "whole": (whole, {}, renumbered(ids, trimmed, whole)),
            "trimmed": (trimmed, {}, ids),
            "trimmed, hot adapter": (trimmed, {"random": place / "adapter.gguf"}, ids),
            "trimmed, merged adapter": (place / "merged.gguf", {}, ids),
        }
        ways = {
            name: partial(
                decode, base, adapters, Request(prompt, GREEDY, dict.fromkeys(adapters, 1.0), stops_at_end=False)
            )
            for name, (base, adapters, prompt) in models.items()
        }
        return interleaved(ways, runs)


def decode(base: Path, adapters: Mapping[str, Path], asked: Request) -> float:
    """Open the model for this one reply: the threads of others, though idle, would stand in its way."""
    with open_engine(base, adapters, slots=1, context_length=1024) as engine:
        finished = engine.generate(asked, lambda _: None, lambda: False)
    return (finished.new_tokens - 1) / (finished.seconds - finished.seconds_to_first_token)


def measure_serving(folder: Path, runs: int) -> Speeds:
    """Return tokens per second from the first request to the last token, of the engine and of the API."""
    encoder = Encoder(base_model.load_tokenizer(folder), read_format("prose").chat_template())
    writer = Writer("base", "continuation", encoder, GREEDY)
    asked = Request(prompt_ids(folder), GREEDY)
    with open_engine(folder / "base.gguf", slots=max(STREAMS), context_length=1024) as engine:
        catalogue = Catalogue(engine, writer.model, {writer.model: writer}, created=0)
        app = create_app(catalogue, bounds=Bounds(slots=max(STREAMS)))
        with served(app) as port:
            ways: dict[str, Callable[[], float]] = {}
            for streams in STREAMS:
                ways[f"engine, {streams}"] = partial(ask_engine, engine, asked, streams)
                ways[f"API, {streams}"] = partial(ask_api, port, streams)
            return interleaved(ways, runs)


def ask_engine(engine: LlamaCpp, asked: Request, streams: int) -> float:
    def write(_: int) -> int:
        tokens: list[Token] = []
        engine.generate(asked, tokens.append, lambda: False)
        return len(tokens)

    return tokens_per_second(write, streams)


def ask_api(port: int, streams: int) -> float:
    command = [sys.executable, __file__, "--client", str(port), str(streams)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def client(port: int, streams: int) -> None:
    """Ask the API in a process of its own, as lightly as may be: what is measured is the server."""
    fields = {"model": "base", "prompt": PROMPT, "stream": True, "temperature": 0, "max_tokens": TOKENS}
    body = json.dumps(fields)
    connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(streams)]
    for connection in connections:
        connection.request("GET", "/healthz")
        connection.getresponse().read()

    def write(stream: int) -> int:
        connections[stream].request("POST", "/v1/completions", body, {"content-type": "application/json"})
        events = connections[stream].getresponse().read()
        if not events.endswith(b"data: [DONE]\n\n"):
            raise SystemExit(f"a stream broke off: {events[-200:]!r}")
        return events.count(b"data: {") - 1  # the last tells why it ended

    print(tokens_per_second(write, streams))


def tokens_per_second(write: Callable[[int], int], streams: int) -> float:
    with ThreadPoolExecutor(streams) as threads:
        started = perf_counter()
        tokens = sum(threads.map(write, range(streams)))
        return tokens / (perf_counter() - started)


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    with listen("127.0.0.1", 0) as listener:
        running = server(app)
        thread = Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


def interleaved(ways: Mapping[str, Callable[[], float]], runs: int) -> Speeds:
    """Measure every way in turn, so that what else the machine does falls on all alike."""
    speeds: Speeds = {name: [] for name in ways}
    for measure in ways.values():
        measure()  # once in vain: caches, threads, first connections
    for _ in range(runs):
        for name, measure in ways.items():
            speeds[name].append(measure())
    return speeds


def prompt_ids(folder: Path) -> list[int]:
    encoder = Encoder(base_model.load_tokenizer(folder), read_format("prose").chat_template())
    return [encoder.bos, *encoder.text(PROMPT)]


def renumbered(ids: list[int], trimmed: Path, whole: Path) -> list[int]:
    """Return the same tokens under the numbers of the whole vocabulary."""
    pieces = read_vocabulary(metadata.open_gguf(trimmed)).pieces
    numbers = {piece: number for number, piece in enumerate(read_vocabulary(metadata.open_gguf(whole)).pieces)}
    return [numbers[pieces[index]] for index in ids]


def random_adapter(base: Path) -> dict[str, torch.Tensor]:
    """Make an adapter that changes next to nothing and costs as much as any other."""
    chance = torch.Generator().manual_seed(SEED)
    names = gemma3.FAMILY.transformers_names(LAYERS)
    state = {}
    for tensor in metadata.open_gguf(base).tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
            width, out = (int(size) for size in tensor.shape)
            layer = names[tensor.name].removesuffix(".weight")
            for name, shape in (("lora_A", (RANK, width)), ("lora_B", (out, RANK))):
                state[f"{layer}.{name}"] = torch.randn(shape, generator=chance) * 1e-3
    return state


def shares(decoding: Speeds, serving: Speeds) -> dict[str, float]:
    """Return what the targets are about, from medians."""
    decoded = {name: statistics.median(runs) for name, runs in decoding.items()}
    written = {name: statistics.median(runs) for name, runs in serving.items()}
    return {
        **{f"{name} / whole": speed / decoded["whole"] for name, speed in decoded.items() if name != "whole"},
        **{f"API / engine, {n}": written[f"API, {n}"] / written[f"engine, {n}"] for n in STREAMS},
    }


def print_table(title: str, speeds: Speeds) -> None:
    print(f"{title:32}{'tokens/s':>10}{'range':>18}")
    for name, runs in speeds.items():
        print(f"  {name:30}{statistics.median(runs):10.1f}{min(runs):10.1f} -{max(runs):6.1f}")


def report(decoding: Speeds, serving: Speeds, runs: int) -> dict[str, Any]:
    figures = {
        name: {"median": round(statistics.median(speeds), 1), "range": [round(min(speeds), 1), round(max(speeds), 1)]}
        for name, speeds in (decoding | serving).items()
    }
    return {
        "benchmark": "generate",
        "command": "python benchmarks/generate.py",
        "tokens": TOKENS,
        "runs": runs,
        "seed": SEED,
        "tokens_per_second": figures,
        "shares": {name: round(share, 3) for name, share in shares(decoding, serving).items()},
        "targets": {"trimmed or merged / whole": MIN_SPEED_UP, "API / engine": MIN_SHARE_OF_ENGINE},
        **machine.described("xllamacpp", "fastapi", "starlette", "uvicorn", "msgspec"),
    }


if __name__ == "__main__":
    main()
