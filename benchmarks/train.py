"""Training measured: speed and memory against TRL in the same run, and what Pushkin's prose teaches.

    pip install -e '.[bench]'
    python benchmarks/train.py speed --data PROSE --save      # tokens/s, memory, bits per byte after the same tokens
    python benchmarks/train.py pushkin --data PROSE --save    # held-out perplexity of a whole run

PROSE is a folder of authors' folders of plain-text works. TRL's SFTTrainer runs at its defaults, but for what
both share: the text in blocks of 512 tokens, 4 a step, rank 16, the learning rate and its schedule. TRL trains
the untrimmed model, as its users do; ``--trimmed-peer`` gives it manera's trimmed one instead. Each run has a
process of its own, in turn.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine

HELD_OUT = ("Пиковая дама.txt", "Кирджали.txt")
BLOCK, BLOCKS_PER_STEP, RANK, ALPHA, LEARNING_RATE = 512, 4, 16, 32, 1e-3
SCORED_BLOCKS = 6


def works(data: Path, held_out: bool) -> list[str]:
    """Read Pushkin's works: those held out, or the others."""
    paths = sorted((data / "Pushkin").glob("*.txt"))
    return [path.read_text("utf-8") for path in paths if (path.name in HELD_OUT) == held_out]


def manera_run(data: Path, steps: int) -> dict[str, Any]:
    """Train the trimmed base with manera's loop and score held-out text."""
    from manera import config

    config.use_large_pages()  # as manera's own commands do

    from manera.bases import base_model
    from manera.bases.templates import chat_template
    from manera.dataset.encoding import Encoder
    from manera.dataset.packing import pack
    from manera.machine.memory import peak_memory_bytes
    from manera.machine.precision import fastest
    from manera.model import packed
    from manera.training import lora
    from manera.training.fitting import fit
    from manera.training.loop import plan
    from manera.training.setup import MICRO_BATCH_TOKENS

    base = base_model.prepare()
    encoder = Encoder(base_model.load_tokenizer(base), chat_template("continuation"))
    rows = pack((window for text in works(data, False) for window in encoder.windows(text, BLOCK)), BLOCK)
    scored = [window for text in works(data, True) for window in encoder.windows(text, BLOCK)][:SCORED_BLOCKS]
    model = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, RANK, ALPHA, fastest(), seed=0)
    packed.compile_layers(model)
    planned = plan(
        len(rows),
        BLOCK,
        batch_tokens=BLOCK * BLOCKS_PER_STEP,
        micro_batch_tokens=MICRO_BATCH_TOKENS[True],
        epochs=1,
        validations_per_epoch=1,
        learning_rate=LEARNING_RATE,
    )
    planned = replace(planned, steps=steps, steps_per_validation=steps)
    done = list(fit(model, rows, rows.take([0]), planned, lambda step: None))
    peak = peak_memory_bytes()
    with lora.measuring(model):
        nll = packed.measure(model, pack(scored, BLOCK), 1)
    text = "".join(encoder.decode(window.input_ids) for window in scored)
    return {
        "tokens_per_second": statistics.median(step.tokens / step.seconds for step in done[1:]),
        "peak_memory_bytes": peak,
        "bits_per_byte": nll.bits_per_byte(len(text.encode())),
        "tokens": sum(step.tokens for step in done),
        "precision": fastest(),
    }


def trl_run(data: Path, steps: int, trimmed: bool) -> dict[str, Any]:
    """Train with TRL's SFTTrainer at its defaults and score the same held-out text."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from torch.nn.functional import cross_entropy
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from manera.bases import base_model
    from manera.bases.catalogue import GEMMA_3_270M
    from manera.bases.templates import chat_template
    from manera.dataset.encoding import IGNORE_INDEX, Encoder
    from manera.machine.memory import peak_memory_bytes
    from manera.model.likelihood import Nll

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Note when each step begins and ends."""

        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.monotonic()

        def on_step_end(self, *_: object, **__: object) -> None:
            self.seconds.append(time.monotonic() - self.started)

    with TemporaryDirectory() as folder:
        base = base_model.prepare() if trimmed else Path(folder) / "base"
        if not trimmed:
            base.mkdir()
            with GEMMA_3_270M.whole() as whole:
                whole.rename(base / "base.gguf")
            base_model.describe(base, GEMMA_3_270M.name, GEMMA_3_270M.sha256, ["all"])
        tokenizer = base_model.load_tokenizer(base)
        encoder = Encoder(tokenizer, chat_template("continuation"))
        blocks = [w.input_ids for text in works(data, False) for w in encoder.windows(text, BLOCK)]
        scored = [w for text in works(data, True) for w in encoder.windows(text, BLOCK)][:SCORED_BLOCKS]
        clock = Clock()
        trainer = SFTTrainer(
            model=base_model.load(base),
            args=SFTConfig(
                output_dir=folder,
                max_length=BLOCK,
                per_device_train_batch_size=BLOCKS_PER_STEP,
                learning_rate=LEARNING_RATE,
                max_steps=steps,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=Dataset.from_dict({"input_ids": [b for b in blocks if len(b) == BLOCK]}),
            processing_class=PreTrainedTokenizerFast(
                tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
            ),
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
            callbacks=[clock],
        )
        trainer.train()
        peak = peak_memory_bytes()
        model = trainer.model.float().eval()
        nll = Nll(0.0, 0)
        with torch.no_grad():
            for window in scored:
                ids, labels = torch.tensor([window.input_ids]), torch.tensor([window.labels])
                logits, targets = model(ids).logits[0, :-1].float(), labels[0, 1:]
                nats = cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="sum")
                nll += Nll(float(nats), int((targets != IGNORE_INDEX).sum()))
        text = "".join(encoder.decode(window.input_ids) for window in scored)
    return {
        "tokens_per_second": statistics.median(BLOCK * BLOCKS_PER_STEP / s for s in clock.seconds[1:]),
        "peak_memory_bytes": peak,
        "bits_per_byte": nll.bits_per_byte(len(text.encode())),
        "tokens": BLOCK * BLOCKS_PER_STEP * len(clock.seconds),
    }


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


def child(*arguments: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def median_of(runs: Sequence[dict[str, Any]], key: str) -> float:
    """Return the median of one figure over runs."""
    return float(statistics.median(run[key] for run in runs))


def speed(data: Path, steps: int, rounds: int, trimmed_peer: bool) -> dict[str, Any]:
    """Run manera and TRL in turn and compare."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(child("manera", "--data", str(data), "--steps", str(steps)))
        theirs.append(child("trl", "--data", str(data), "--steps", str(steps), *["--trimmed-peer"] * trimmed_peer))
    keys = ("tokens_per_second", "peak_memory_bytes", "bits_per_byte")
    rows = {name: {key: median_of(runs, key) for key in keys} for name, runs in (("manera", ours), ("TRL", theirs))}
    print(f"{'':8}{'tokens/s':>10}{'peak GB':>9}{'bits/byte held out':>20}   after {ours[0]['tokens']:,} tokens")
    for name, row in rows.items():
        print(
            f"{name:8}{row['tokens_per_second']:>10,.0f}{row['peak_memory_bytes'] / 1e9:>9.1f}"
            f"{row['bits_per_byte']:>20.4f}"
        )
    ratio = rows["manera"]["tokens_per_second"] / rows["TRL"]["tokens_per_second"]
    print(f"manera is {ratio:.1f} times as fast")
    return {"ratio": ratio, "rows": rows, "runs": {"manera": ours, "TRL": theirs}, "trimmed_peer": trimmed_peer}


def main() -> None:
    """Print a table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("speed", "pushkin", "manera", "trl"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--learning-rate", type=float, help="of the Pushkin run; by default manera's own")
    parser.add_argument("--trimmed-peer", action="store_true")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if given.part == "manera":
        print(json.dumps(manera_run(given.data, given.steps)))
        return
    if given.part == "trl":
        print(json.dumps(trl_run(given.data, given.steps, given.trimmed_peer)))
        return
    if given.part == "speed":
        document = speed(given.data, given.steps, given.rounds, given.trimmed_peer)
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
    name = f"train-{given.part}{'-trimmed-peer' if given.trimmed_peer else ''}"
    machine.tell(document, name if given.save else None)


if __name__ == "__main__":
    main()
