"""What no move of code may change: the bundled examples, learned for ten steps with a fixed seed in float32.

``python tests/test_still.py`` measures it again and writes ``still.json``; ``--print`` shows all figures instead, those
too that another processor would round otherwise.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from manera.bases import base_model
from manera.corpus.storage import open_corpus, write
from manera.evaluation.budget import FAST
from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.opening import Options
from manera.generation.engine import Token
from manera.generation.llama_cpp import open_engine
from manera.generation.reply import stream_reply, voice_writer
from manera.records import Message, TrainingStep
from manera.sources.reading import read
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import read_voice
from tiny import write_tiny_base

EXAMPLES = Path(__file__).parent.parent / "examples"
RECORD = Path(__file__).with_suffix(".json").with_name("still.json")
STEPS = 10
PASSES = {"channel-ru": 0.25, "chat-ru": 0.2}
"""Of each example, enough for ten steps."""

ANSWERED = {"channel-ru": "весна", "chat-ru": "Привет, как дела?"}
STEADY = ("bits_per_byte.", "perplexity.", "memory.", "forgotten.", "personal_data.inputs", "personal_data.targets")
"""Figures of a report in which nothing is drawn: the same on every machine but for rounding."""


def measured(base: Path, example: str) -> dict[str, Any]:
    """Import, train, write and evaluate; MANERA_HOME is an empty folder."""
    settings = TrainingConfig(
        precision="float32", compile="off", batch_tokens=1024, epochs=PASSES[example], rank=4, alpha=8, seed=3
    )
    folder = Path(os.environ["MANERA_HOME"]) / "corpus"
    write(read([EXAMPLES / example]), folder)
    steps = [e for e in learn(open_corpus(folder), None, example, settings, base) if isinstance(e, TrainingStep)]
    voice = read_voice(example)
    state = adapter.read_peft(voice_folder(example))
    (*_, ended) = evaluate(example, Options(budget=FAST, base=base))
    assert isinstance(ended, Evaluated)
    return {
        "dataset": voice.dataset_sha256,
        "steps": len(steps),
        "losses": [step.loss for step in steps],
        "held_out": msgspec.to_builtins(voice.held_out),
        "norms": {name: float(tensor.norm()) for name, tensor in sorted(state.items())},
        "adapter": hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest(),
        "greedy": _greedy(base, example),
        "report": {name: found.value for name, found in sorted(ended.report.metrics.items())},
    }


def _greedy(base: Path, example: str) -> str:
    voice = read_voice(example)
    sampling = msgspec.structs.replace(voice.sampling, temperature=0, max_new_tokens=40)
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    with open_engine(
        base / "base.gguf", {example: voice_folder(example) / ADAPTER_GGUF}, slots=1, context_length=512, threads=1
    ) as engine:
        reply = stream_reply(engine, writer, [Message("user", ANSWERED[example])], sampling)
        return "".join(item.text for item in reply.tokens if isinstance(item, Token))


@pytest.mark.parametrize("example", PASSES)
def test_an_example_is_learned_as_before(
    example: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    found, before = measured(tiny_base, example), json.loads(RECORD.read_bytes())[example]
    for exact in ("dataset", "steps", "greedy"):
        assert found[exact] == before[exact], exact
    for rounded in ("losses", "norms"):
        assert found[rounded] == pytest.approx(before[rounded], rel=1e-3), rounded
    for who in ("base", "voice"):
        assert found["held_out"][who] == pytest.approx(before["held_out"][who], rel=1e-3)
    assert found["report"].keys() == before["report"].keys()
    steady = {name for name in before["report"] if name.startswith(STEADY)}
    assert len(steady) > 10
    for name in sorted(steady):
        assert found["report"][name] == pytest.approx(before["report"][name], rel=2e-3, abs=1e-4), name


def _measure_all() -> dict[str, dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    found = {}
    with TemporaryDirectory() as base:
        tiny = write_tiny_base(Path(base) / "tiny")
        for example in PASSES:
            with TemporaryDirectory() as home:
                os.environ["MANERA_HOME"] = home
                found[example] = measured(tiny, example)
    return found


if __name__ == "__main__":
    everything = _measure_all()
    if "--print" in sys.argv:
        json.dump(everything, sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
    else:
        for one in everything.values():
            one.pop("adapter")  # another processor rounds otherwise
        RECORD.write_text(json.dumps(everything, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
