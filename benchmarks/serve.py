"""How the API does under load: ``python benchmarks/serve.py [speed | soak | fuzz] [--save]``.

speed: total tokens per second at 1, 4, 16 and 64 clients; the time to the first token at 4 clients that ask at once,
with prompts of 200 tokens never seen before, and with the next turn added to them; and the time from a cold start to
the first answer; of ``manera serve``, of llama.cpp's own server (which xllamacpp brings along) on the same trimmed GGUF
with as many slots, and of ``transformers serve`` on the same weights.
Every server runs in a process of its own, the clients in another; the servers take turns at each figure, for the
machine's speed drifts, and medians are shown.
With --voice, what the voice's guard costs is measured too.
soak: 16 clients that leave at random, for --minutes. fuzz: --cases requests made up from the API's own schema.
"""

import argparse
import http.client
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import psutil

import machine
from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import read_format

CLIENTS = (1, 4, 16, 64)
SLOTS = 16
TOKENS = 128
RUNS = 5
PEER_TOKENS, PEER_RUNS = 16, 1
"""What transformers is asked for: it answers one client after the other, and the rest of the time would be its."""

PROMPT_TOKENS = 200
FIRST_TOKEN_CLIENTS = 4
FIRST_TOKEN_ROUNDS = 3
SOAK_CLIENTS = 16
SEED = 20
TARGETS = {
    "share of llama.cpp's server": 0.97,
    "seconds to first token, p50": 0.25,
    "seconds to first token, p95": 0.5,
    "seconds to ready": 2.0,
    "guard's cost": 0.03,
    "soak: memory's growth": 0.05,
}
PROMPT = "Однажды вечером, когда на улице шёл дождь, я сидел у окна и думал о том, что"
FOLDER = Path(__file__).parent
RESULT = machine.RESULTS / "serve.json"

Figures = dict[str, list[float]]


def main() -> None:
    if sys.argv[1:2] == ["--clients"]:
        print(json.dumps(ask_together(json.loads(sys.argv[2]))))
        return
    if sys.argv[1:2] == ["--llama-server"]:
        llama_server(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="?", choices=("speed", "soak", "fuzz"), default="speed")
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--tokens", type=int, default=TOKENS)
    options.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    options.add_argument("--voice", help="measure what this voice's guard costs")
    options.add_argument("--without", nargs="*", default=(), help="servers to leave out")
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--cases", type=int, default=3000)
    options.add_argument("--save", action="store_true", help=f"write {RESULT}")
    given = options.parse_args()

    if given.what == "soak":
        measured = soak(given.minutes)
    elif given.what == "fuzz":
        measured = fuzz(given.cases)
    else:
        measured = speed(given)
    known = json.loads(RESULT.read_text("utf-8")) if given.save and RESULT.is_file() else {}
    line = known | {"benchmark": "serve", given.what: measured, "targets": TARGETS}
    line |= machine.described("xllamacpp", "transformers", "fastapi", "starlette", "uvicorn")
    machine.tell(line, "serve" if given.save else None)


# --- servers --------------------------------------------------------------------------------------------------------


def commands(folder: Path, exported: Path, port: int) -> dict[str, list[str]]:
    """Return how each server is started."""
    here = [sys.executable, __file__]
    manera = [sys.executable, "-m", "manera.cli.main", "serve", "--port", str(port), "--slots", str(SLOTS)]
    return {
        "manera": [*manera, "--queue", "256"],
        "llama.cpp": [*here, "--llama-server", str(folder / "base.gguf"), str(SLOTS), str(port)],
        "transformers": [
            *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(exported)),
            *("--port", str(port), "--dtype", "bfloat16", "--device", "cpu"),
        ],
    }


READY = {"manera": "/readyz", "llama.cpp": "/health", "transformers": "/health"}


def llama_server(base: Path, slots: int, port: int) -> None:
    """Run llama.cpp's own HTTP server with its own settings but for slots, context and threads."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(base)
    parameters.hostnames, parameters.port = ["127.0.0.1"], port
    parameters.n_parallel, parameters.n_ctx = slots, slots * 4096
    threads = psutil.cpu_count(logical=False) or 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.fit_params = parameters.ui = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


@contextmanager
def started(name: str, command: Sequence[str], port: int) -> Iterator[tuple[psutil.Process, float]]:
    """Run a server; yield its process and the seconds from its start to its first answer."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as server:
        drained = Thread(target=lambda: server.stderr and server.stderr.read(), daemon=True)
        drained.start()
        try:
            while not answers(port, READY[name]):
                if server.poll() is not None:
                    raise SystemExit(f"{name} did not start: {' '.join(command)}")
                time.sleep(0.01)
            yield psutil.Process(server.pid), time.perf_counter() - began
        finally:
            server.kill() if name == "llama.cpp" else server.terminate()  # its signals wait for a request
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def export(folder: Path, to: Path) -> None:
    """Write the base as transformers reads it."""
    import torch
    from transformers import PreTrainedTokenizerFast

    base_model.load(folder).to(torch.bfloat16).save_pretrained(to)
    PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    ).save_pretrained(to)


# --- clients, in a process of their own -----------------------------------------------------------------------------


def ask_together(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ask with every body at the same time, as lightly as may be: what is measured is the server."""
    bodies = asked["bodies"]
    with ThreadPoolExecutor(len(bodies)) as threads:
        began = time.perf_counter()
        made = list(threads.map(lambda body: ask(asked["port"], body), bodies))
        seconds = time.perf_counter() - began
    return {"tokens": sum(one[0] for one in made), "seconds": seconds, "first": [one[1] for one in made]}


def ask(port: int, body: Mapping[str, Any]) -> tuple[int, float]:
    """Return how many tokens were written, and the seconds to the first."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {response.read()!r}")
    begun = b""
    while not re.search(rb'"text":\s*"[^"]', begun):
        begun += response.readline()
        if not begun:
            raise SystemExit("a stream broke off")
    first = time.perf_counter() - began
    events = begun + response.read()
    usage = re.findall(rb'"completion_tokens":\s*(\d+)', events)
    return int(usage[-1]) if usage else len(re.findall(rb'"text":\s*"[^"]', events)), first


def from_outside(port: int, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    asked = json.dumps({"port": port, "bodies": bodies})
    shown = subprocess.run([sys.executable, __file__, "--clients", asked], check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(shown.stdout)
    return measured


def body(name: str, prompt: str, tokens: int, model: str) -> dict[str, Any]:
    """Ask each server for the same greedy text."""
    fields = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True}
    extra: dict[str, dict[str, Any]] = {
        "manera": {"repetition_penalty": 1.0, "min_p": 0, "top_p": 1.0, "stream_options": {"include_usage": True}},
        "llama.cpp": {"cache_prompt": False, "top_k": 1, "stream_options": {"include_usage": True}},
        "transformers": {},
    }
    return fields | extra[name]


REMEMBERED: dict[str, dict[str, Any]] = {
    "manera": {"temperature": 0.8},  # a greedy prompt is always read anew, so that the same text comes again
    "llama.cpp": {"cache_prompt": True},
    "transformers": {},
}
FURTHER = " И тогда он сказал:"


# --- what is measured -----------------------------------------------------------------------------------------------


def speed(given: argparse.Namespace) -> dict[str, Any]:
    folder = base_model.prepare()
    prompts = long_prompts(folder)
    rates: dict[str, Figures] = defaultdict(lambda: defaultdict(list))
    first: Figures = defaultdict(list)
    ready: Figures = defaultdict(list)
    guard: Figures = defaultdict(list)
    names = [name for name in READY if name not in given.without]
    with tempfile.TemporaryDirectory() as exported, ExitStack() as opened:
        if "transformers" in names:
            export(folder, Path(exported))
        servers = {}
        for name in names:
            port = free_port()
            command = commands(folder, Path(exported), port)[name]
            for _ in range(given.runs - 1):  # only to see how long it takes
                with started(name, command, port) as (_, seconds):
                    ready[name].append(seconds)
            ready[name].append(opened.enter_context(started(name, command, port))[1])
            model = exported if name == "transformers" else base_model.read(folder).id
            servers[name] = Asked(name, port, model, PEER_TOKENS if name == "transformers" else given.tokens)
            from_outside(port, [servers[name].body(PROMPT, 4)])  # once in vain
        for run in range(given.runs):
            asked = [server for name, server in servers.items() if name != "transformers" or run < PEER_RUNS]
            asked = asked[::-1] if run % 2 else asked
            for clients in given.clients:
                for server in asked:
                    made = from_outside(server.port, [server.body(PROMPT, server.tokens)] * clients)
                    rates[server.name][str(clients)].append(made["tokens"] / made["seconds"])
            for _ in range(FIRST_TOKEN_ROUNDS):
                for server in asked:
                    measure_first_token(server, prompts, first)
            if given.voice:
                measure_guard(servers["manera"].port, given, guard)
    show(rates, first, ready, guard, given)
    return {
        "command": " ".join(["python", "benchmarks/serve.py", *sys.argv[1:]]),
        "slots": SLOTS,
        "tokens": {name: PEER_TOKENS if name == "transformers" else given.tokens for name in names},
        "runs": given.runs,
        "tokens_per_second": {name: {n: spread(runs) for n, runs in counts.items()} for name, counts in rates.items()},
        "share_of_llama_cpp": shares(rates),
        "seconds_to_first_token": {name: quantiles(values) for name, values in first.items()},
        "seconds_to_ready": {name: spread(values) for name, values in ready.items()},
        "guard_tokens_per_second": {name: spread(values) for name, values in guard.items()},
    }


class Asked(NamedTuple):
    """A running server: what its model is called there, and how many tokens it is asked for."""

    name: str
    port: int
    model: str
    tokens: int

    def body(self, prompt: str, tokens: int) -> dict[str, Any]:
        return body(self.name, prompt, tokens, self.model)


def measure_first_token(server: Asked, prompts: Iterator[str], first: Figures) -> None:
    """Ask with prompts never seen before, and with the next turn added to them."""
    new = [server.body(next(prompts), 8) for _ in range(FIRST_TOKEN_CLIENTS)]
    first[server.name] += from_outside(server.port, new)["first"]
    remembered = [one | REMEMBERED[server.name] for one in new]
    from_outside(server.port, remembered)
    further = [one | {"prompt": one["prompt"] + FURTHER} for one in remembered]
    first[f"{server.name}, next turn"] += from_outside(server.port, further)["first"]


def measure_guard(port: int, given: argparse.Namespace, guard: Figures) -> None:
    for title, on in (("on", True), ("off", False)):
        asked = body("manera", PROMPT, given.tokens, given.voice) | {"guard": on}
        made = from_outside(port, [asked] * FIRST_TOKEN_CLIENTS)
        guard[title].append(made["tokens"] / made["seconds"])


def long_prompts(folder: Path) -> Iterator[str]:
    """Yield prompts of 200 tokens, none of which begins as another: a remembered one would cost nothing."""
    encoder = Encoder(base_model.load_tokenizer(folder), read_format("prose").chat_template())
    ids = encoder.text(PROMPT * 20)
    chance = random.Random(SEED)
    while True:
        opening = encoder.text(f"{chance.randrange(10**9)}. ")
        yield encoder.decode([*opening, *ids[: PROMPT_TOKENS - 1 - len(opening)]])


def soak(minutes: float) -> dict[str, Any]:
    """Let clients come and go; return what went wrong, how memory grew, and what is still running."""
    folder = base_model.prepare()
    port = free_port()
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + minutes * 60
    with started("manera", commands(folder, folder, port)["manera"], port) as (process, _):
        threads = [
            Thread(target=come_and_go, args=(port, base_model.read(folder).id, seed, end, outcomes))
            for seed in range(SOAK_CLIENTS)
        ]
        for thread in threads:
            thread.start()
        resident = []
        while time.monotonic() < end:
            time.sleep(min(5.0, minutes * 6))
            resident.append(process.memory_info().rss / 2**20)
        for thread in threads:
            thread.join()
        left = settled(port)
    quarter = max(1, len(resident) // 4)
    before, after = (
        statistics.median(resident[quarter : 2 * quarter] or resident),
        statistics.median(resident[-quarter:]),
    )
    measured = {
        "minutes": minutes,
        "clients": SOAK_CLIENTS,
        "outcomes": dict(outcomes),
        "errors": sum(count for outcome, count in outcomes.items() if outcome.startswith("error")),
        "mebibytes": {"second quarter": round(before, 1), "last quarter": round(after, 1)},
        "memory_growth": round(after / before - 1, 4),
        "left_running_or_waiting": left,
    }
    for name, value in measured.items():
        print(f"  {name:28}{value}")
    return measured


def come_and_go(port: int, model: str, seed: int, end: float, outcomes: "Counter[str]") -> None:
    chance = random.Random(seed)
    while time.monotonic() < end:
        stream = chance.random() < 0.7
        leaves = stream and chance.random() < 0.5
        asked = {"model": model, "prompt": PROMPT, "max_tokens": chance.choice((8, 64, 256)), "stream": stream}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("POST", "/v1/completions", json.dumps(asked), {"content-type": "application/json"})
            if leaves and chance.random() < 0.3:
                outcomes["left before the answer"] += 1
                continue
            response = connection.getresponse()
            if leaves:
                for _ in range(chance.randrange(1, 40)):
                    response.readline()
                outcomes["left while reading"] += 1
                continue
            whole = response.read()
            good = response.status == 200 and (not stream or whole.endswith(b"data: [DONE]\n\n"))
            outcomes["answered" if good else f"error {response.status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            outcomes[f"error {type(error).__name__}"] += 1
        finally:
            connection.close()


def settled(port: int) -> float:
    """Return how many replies are still written or waited for, ten seconds after the last client at most."""
    left = -1.0
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        figures = connection.getresponse().read().decode()
        connection.close()
        left = sum(float(count) for count in re.findall(r"^manera_replies_\w+ (\S+)$", figures, re.MULTILINE))
        if left == 0:
            break
        time.sleep(0.1)
    return left


def fuzz(cases: int) -> dict[str, Any]:
    """Run the schema's test with many cases."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "tests/serving/test_schema.py"]
    environment = os.environ | {"MANERA_FUZZ_CASES": str(cases)}
    ended = subprocess.run(command, cwd=FOLDER.parent, env=environment, check=False)
    return {"cases": cases, "failed": ended.returncode != 0, "seconds": round(time.perf_counter() - began, 1)}


# --- how it is shown ------------------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, Any]:
    return {"median": round(statistics.median(values), 3), "range": [round(min(values), 3), round(max(values), 3)]}


def quantiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{p}": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 3) for p in (50, 95)}


def shares(rates: Mapping[str, Figures]) -> dict[str, float]:
    if not {"manera", "llama.cpp"} <= set(rates):
        return {}
    pairs = ((n, runs, rates["llama.cpp"][n]) for n, runs in rates["manera"].items())
    return {n: round(statistics.median(ours) / statistics.median(theirs), 3) for n, ours, theirs in pairs}


def show(
    rates: Mapping[str, Figures], first: Figures, ready: Figures, guard: Figures, given: argparse.Namespace
) -> None:
    print(f"{'tokens/s, all clients together':32}" + "".join(f"{n:>10}" for n in given.clients))
    for name, counts in rates.items():
        print(f"  {name:30}" + "".join(f"{statistics.median(runs):10.1f}" for runs in counts.values()))
    print(f"  {'manera / llama.cpp':30}" + "".join(f"{share:10.3f}" for share in shares(rates).values()))
    print(f"{'seconds to the first token':32}{'p50':>10}{'p95':>10}{'to ready':>10}")
    for name, values in first.items():
        told = quantiles(values)
        waited = f"{statistics.median(ready[name]):10.2f}" if name in ready else ""
        print(f"  {name:30}{told['p50']:10.3f}{told['p95']:10.3f}{waited}")
    for title, values in guard.items():
        print(f"  guard {title:24}{statistics.median(values):10.1f} tokens/s")


if __name__ == "__main__":
    main()
