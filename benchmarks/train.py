"""Training measured: speed and memory against others in the same run, and what Pushkin's prose teaches.

    pip install -e '.[bench]'
    python benchmarks/train.py speed --data PROSE --save      # tokens/s, memory, share of the matrix products' rate
    python benchmarks/train.py reach --data PROSE --save      # seconds until TRL's loss after ten minutes
    python benchmarks/train.py pushkin --data PROSE --save    # held-out perplexity of a whole run

PROSE is a folder of authors' folders of plain-text works; dialogue is of the chats among the examples. manera trains as
``manera train`` does by default, compiled as in any run of some minutes; TRL and LLaMA-Factory as ``peers.py`` says.
All share the text, the length of an example, the tokens of a step, rank and learning rate. Each run has a process of
its own, in turn. Tokens are those that are not padding; a rate is the median of all steps but the first, which
compiles.

    python -m venv LF && LF/bin/pip install llamafactory
    python benchmarks/train.py speed --data PROSE --llama-factory LF/bin/llamafactory-cli --save

With a GPU all train there. ``--save NAME`` keeps the figures of another machine beside those of this one.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import machine
import peers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from manera.training.material import Material

ROOT = Path(__file__).parents[1]
HELD_OUT = ("Пиковая дама.txt", "Кирджали.txt")
BLOCK = 512
SCORED_EXAMPLES = 8
WITHIN = (90, 180, 360, 600)
"""Seconds of runs of manera, tried in turn until one reaches TRL's loss."""

PRODUCT = (2048, 640, 2048)


class Row(NamedTuple):
    """What is learned, and on which base."""

    text: Path
    base: str


def rows(data: Path) -> dict[str, Row]:
    """Name the rows of the table."""
    return {
        "prose": Row(data / "Pushkin", "gemma-3-270m"),
        "dialogue": Row(ROOT / "examples" / "chat-ru", "gemma-3-270m"),
        "dialogue, SmolLM2": Row(ROOT / "examples" / "chat-en", "smollm2-135m"),
    }


def works(data: Path, held_out: bool) -> list[str]:
    """Read Pushkin's works: those held out, or the others."""
    paths = sorted((data / "Pushkin").glob("*.txt"))
    return [path.read_text("utf-8") for path in paths if (path.name in HELD_OUT) == held_out]


def manera_run(row: Row, batch_tokens: int, steps: int, within: float | None) -> dict[str, Any]:
    """Train as ``manera train`` does: so many steps, or so many seconds and then held-out text scored."""
    from manera import config

    config.use_large_pages()  # as manera's own commands do

    from manera.bases import base_model
    from manera.corpus.storage import open_corpus, write
    from manera.dataset.packing import pack
    from manera.machine.memory import peak_memory_bytes
    from manera.model import packed
    from manera.sources.reading import read
    from manera.training.fitting import fit
    from manera.training.settings import TrainingConfig
    from manera.training.setup import set_up

    minutes = None if within is None else within / 60
    settings = TrainingConfig(batch_tokens=batch_tokens, minutes=minutes, compile="on")
    with TemporaryDirectory() as folder:
        write(read([row.text]), Path(folder) / "corpus")
        setup = set_up(open_corpus(Path(folder) / "corpus"), None, settings, base_model.prepare(name=row.base))
    dataset = setup.material.dataset
    last = setup.planned.steps if within else steps
    planned = replace(setup.planned, steps=last, steps_per_validation=last)
    scored, scored_bytes = peers.held_out(setup.material, SCORED_EXAMPLES)
    held_out = pack(scored, setup.material.max_length) if within else dataset.rows["validation"].take([0])
    done = list(fit(setup.model, dataset.rows["train"], held_out, planned, lambda step: None))
    peak = peak_memory_bytes()
    rate = statistics.median(step.tokens / step.seconds for step in done[1:])
    found: dict[str, Any] = {
        "tokens_per_second": rate,
        "peak_memory_bytes": peak,
        "tokens": sum(step.tokens for step in done),
        "seconds": sum(step.seconds for step in done),
        "precision": setup.precision,
        "compiled": setup.compiled,
    }
    if within:
        with setup.method.measuring(setup.model, True):
            nll = packed.measure(setup.model, held_out, 1)
        return found | {"bits_per_byte": nll.bits_per_byte(scored_bytes)}
    learned = sum(step.supervised_tokens for step in done) / found["tokens"]
    return found | products(setup.model, setup.precision, learned, rate)


def products(model: "PreTrainedModel", precision: str, learned: float, tokens_per_second: float) -> dict[str, Any]:
    """Compare the seconds of a token with those that its matrix products alone would take at the rate measured now.

    Of a frozen weight there are two products: forward, and back to its input; of an adapter's there are three. The
    head's are for what is learned alone, and in float32 where the precision is int8, as the adapter's are. Attention's
    own products, which grow with the length, are left out.
    """
    from manera.training import lora

    layers = lora.adapted_layers(model).values()
    frozen = sum(layer.weight.numel() for layer in layers)
    adapter = sum(layer.lora_A.numel() + layer.lora_B.numel() for layer in layers)
    rounded = 4 * frozen
    plain = 6 * adapter + 4 * model.get_output_embeddings().weight.numel() * learned
    rates = {name: product_rate(name) for name in {precision, "float32" if precision == "int8" else precision}}
    seconds = rounded / rates[precision] + plain / rates["float32" if precision == "int8" else precision]
    return {
        "flop_per_token": rounded + plain,
        "product_flops": rates,
        "share_of_product_rate": seconds * tokens_per_second,
    }


def product_rate(precision: str, seconds: float = 2.0) -> float:
    """Return the operations a second of one large matrix product, the best of some seconds."""
    import torch

    n, inner, columns = PRODUCT
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = torch.randn(n, inner, device=device), torch.randn(inner, columns, device=device)
    if precision == "int8":
        left, right = (left * 40).to(torch.int8), (right * 40).to(torch.int8)
        multiply = torch._int_mm
    else:
        left, right = left.to(getattr(torch, precision)), right.to(getattr(torch, precision))
        multiply = torch.mm
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        multiply(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * n * inner * columns / best


def peer_run(row: Row, given: argparse.Namespace) -> dict[str, Any]:
    """Train the whole base by TRL, or by LLaMA-Factory, on what manera learns from."""
    from manera.corpus.storage import open_corpus, write
    from manera.sources.reading import read
    from manera.training.material import gather
    from manera.training.setup import LEARNING_RATES

    with TemporaryDirectory() as name:
        folder = Path(name)
        write(read([row.text]), folder / "corpus")
        peers.write_whole_base(row.base, folder / "base")
        material: Material = gather(open_corpus(folder / "corpus"), None, folder / "base", None)
        bounds = peers.Bounds(given.steps, given.batch_tokens, LEARNING_RATES[material.kind])
        if given.llama_factory:
            return peers.llama_factory(material, given.llama_factory, bounds)
        return peers.trl(material, given.trl[0], bounds, SCORED_EXAMPLES if given.score else 0)


def pushkin_run(data: Path, epochs: float, learning_rate: float | None) -> dict[str, Any]:
    """Import and train as ``manera train`` does, then read the two works that nobody has seen."""
    from manera.bases import base_model
    from manera.corpus.storage import open_corpus, write
    from manera.dataset.packing import pack
    from manera.model import packed
    from manera.records import TrainingStep
    from manera.sources.reading import read
    from manera.training import lora
    from manera.training.learn import Learned, learn
    from manera.training.material import gather
    from manera.training.settings import TrainingConfig
    from manera.voice import adapter
    from manera.voice.folder import voice_folder
    from manera.voice.manifest import read_voice

    paths = [path for path in sorted((data / "Pushkin").glob("*.txt")) if path.name not in HELD_OUT]
    base = base_model.prepare()
    with TemporaryDirectory() as folder:
        shelf = Path(folder) / "Пушкин"
        shelf.mkdir()
        for path in paths:
            (shelf / path.name).write_bytes(path.read_bytes())
        write(read([shelf]), Path(folder) / "corpus")
        corpus = open_corpus(Path(folder) / "corpus")
        tokens, curve, learned = 0, [], None
        for event in learn(
            corpus,
            None,
            "pushkin-benchmark",
            TrainingConfig(epochs=epochs, learning_rate=learning_rate),
            base,
            replace=True,
        ):
            if isinstance(event, TrainingStep):
                tokens += event.tokens
                if event.validation_loss is not None:
                    curve.append({"tokens": tokens, "validation_nats_per_token": round(event.validation_loss, 4)})
                    print(curve[-1], file=sys.stderr, flush=True)
            elif isinstance(event, Learned):
                learned = event
        encoder = gather(corpus, None, base, None).encoder
    assert learned is not None
    model = base_model.load(base)
    packed.use_matrix_attention(model)
    voice = read_voice("pushkin-benchmark")
    lora.add_adapter(model, voice.recipe.rank, voice.recipe.alpha, "float32", seed=0)
    lora.load_adapter_state(model, adapter.read_peft(voice_folder("pushkin-benchmark")))
    rows = pack((w for text in works(data, True) for w in encoder.windows(text, BLOCK)), BLOCK)
    scored_bytes = sum(len(text.encode()) for text in works(data, True))
    held_out = {}
    for name, with_adapter in (("base", False), ("voice", True)):
        with lora.measuring(model, with_adapter):
            nll = packed.measure(model, rows, 1)
        held_out[name] = {"perplexity": nll.perplexity, "bits_per_byte": nll.bits_per_byte(scored_bytes)}
    return {
        "held_out": held_out,
        "training_tokens": tokens,
        "seconds": learned.seconds,
        "tokens_per_second": learned.tokens_per_second,
        "peak_memory_bytes": learned.peak_memory_bytes,
        "kept_step": learned.kept_step,
        "steps": learned.steps,
        "curve": curve,
    }


def child(given: argparse.Namespace, row: str, who: str, *arguments: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    shared = ["--data", str(given.data), "--batch-tokens", str(given.batch_tokens), "--row", row]
    command = [sys.executable, __file__, who, *shared, *arguments]
    print(" ".join(command[2:]), file=sys.stderr, flush=True)
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = dict(json.loads(finished.stdout.splitlines()[-1]))
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def median_of(runs: Sequence[dict[str, Any]], key: str) -> float:
    """Return the median of one figure over runs."""
    return float(statistics.median(run[key] for run in runs))


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """Run manera and the others in turn, row by row, and compare."""
    table = {}
    for row in given.row or rows(given.data):
        runs: dict[str, list[dict[str, Any]]] = {}
        for _ in range(given.rounds):
            runs.setdefault("manera", []).append(child(given, row, "manera", "--steps", str(given.our_steps)))
            for setting in given.trl:
                arguments = ("--trl", setting, "--steps", str(given.steps))
                runs.setdefault(f"TRL, {setting}", []).append(child(given, row, "peer", *arguments))
            if given.llama_factory:
                arguments = ("--llama-factory", str(given.llama_factory), "--steps", str(given.steps))
                runs.setdefault("LLaMA-Factory", []).append(child(given, row, "peer", *arguments))
        found = compared(runs)
        table[row] = {"rows": found, "runs": runs}
        show(row, found)
    return {"batch_tokens": given.batch_tokens, "table": table}


def compared(runs: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Return each one's medians, and how many times as fast manera is."""
    found = {
        who: {key: median_of(each, key) for key in ("tokens_per_second", "peak_memory_bytes")}
        for who, each in runs.items()
    }
    ours = found["manera"]
    for row in found.values():
        row["times"] = ours["tokens_per_second"] / row["tokens_per_second"]
    ours["share_of_product_rate"] = median_of(runs["manera"], "share_of_product_rate")
    return found


def show(title: str, found: Mapping[str, Mapping[str, float]]) -> None:
    """Print one row of the table."""
    print(f"\n{title:44}{'tokens/s':>10}{'peak GB':>9}{'manera is':>11}")
    for who, one in found.items():
        times = "" if who == "manera" else f"{one['times']:>9.1f} x"
        print(f"{who:44}{one['tokens_per_second']:>10,.1f}{one['peak_memory_bytes'] / 1e9:>9.1f}{times:>11}")
    print(f"manera reaches {found['manera']['share_of_product_rate']:.0%} of what its matrix products alone would take")


def reach(given: argparse.Namespace) -> dict[str, Any]:
    """Let TRL train for some minutes at one setting, and find how long manera takes to its held-out loss."""
    row, setting = (given.row or ["prose"])[0], given.trl[-1]
    tried = child(given, row, "peer", "--trl", setting, "--steps", "3")
    steps = max(3, round(given.minutes * 60 / tried["seconds_per_step"]))
    theirs = child(given, row, "peer", "--trl", setting, "--steps", str(steps), "--score")
    ours = []
    for within in WITHIN:
        ours.append(child(given, row, "manera", "--within", str(within)))
        if ours[-1]["bits_per_byte"] <= theirs["bits_per_byte"]:
            break
    print(f"\n{'held-out bits per byte':44}{'seconds':>9}{'tokens':>9}{'bits/byte':>11}")
    for who, one in ((f"TRL, {setting}", theirs), *(("manera", one) for one in ours)):
        print(f"{who:44}{one['seconds']:>9.0f}{one['tokens']:>9,}{one['bits_per_byte']:>11.4f}")
    return {"row": row, "setting": setting, "minutes": given.minutes, "TRL": theirs, "manera": ours}


def main() -> None:
    """Print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("speed", "reach", "pushkin", "manera", "peer"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--row", action="append", help="prose, dialogue or another row; may be repeated")
    parser.add_argument("--trl", action="append", choices=peers.TRL, help="a setting of TRL; may be repeated")
    parser.add_argument("--llama-factory", type=Path, help="its command, in an environment of its own")
    parser.add_argument("--batch-tokens", type=int, default=1024, help="of a step")
    parser.add_argument("--steps", type=int, default=4, help="of the others")
    parser.add_argument("--our-steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10, help="of TRL's run whose loss is to be reached")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--learning-rate", type=float, help="of the Pushkin run; by default manera's own")
    parser.add_argument("--within", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--score", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--save", nargs="?", const="", metavar="NAME", help="keep it; by default as train-PART")
    given = parser.parse_args()
    given.trl = given.trl or list(peers.TRL)
    if given.part == "manera":
        found = manera_run(rows(given.data)[given.row[0]], given.batch_tokens, given.steps, given.within)
        print(json.dumps(found))
        return
    if given.part == "peer":
        print(json.dumps(peer_run(rows(given.data)[given.row[0]], given)))
        return
    if given.part == "speed":
        document = speed(given)
    elif given.part == "reach":
        document = reach(given)
    else:
        document = pushkin_run(given.data, given.epochs, given.learning_rate)
        for name, row in document["held_out"].items():
            print(f"{name:6} perplexity {row['perplexity']:.1f}  bits per byte {row['bits_per_byte']:.3f}")
    document = {
        "benchmark": f"train {given.part}",
        "command": f"python benchmarks/train.py {given.part}",
        **machine.described("manera", "torch", "transformers", "peft", "trl"),
        **document,
    }
    machine.tell(document, None if given.save is None else given.save or f"train-{given.part}")


if __name__ == "__main__":
    main()
