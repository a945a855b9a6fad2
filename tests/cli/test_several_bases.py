"""One corpus on several bases: trained beside each other, or only read by the untuned ones."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs_home import QUICK
from manera.bases import base_model
from manera.cli.main import app
from manera.corpus.storage import write
from manera.sources.reading import read
from manera.voice.folder import is_there, name_on
from tiny_llama import write_tiny_llama

CHAT = Path(__file__).parents[2] / "examples" / "chat-en"


@pytest.fixture
def home(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two bases that are ready, under the names of the two that come with manera, and a corpus."""
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    for name, value in QUICK.items():
        monkeypatch.setenv(f"MANERA_TRAINING_{name}", value)
    shutil.copytree(tiny_base, tmp_path / "bases" / base_model.folder_name(("ru", "en")))
    write_tiny_llama(tmp_path / "bases" / base_model.folder_name(("en",), "smollm2-135m"))
    write(read([CHAT]), tmp_path / "corpus")
    return tmp_path


def typed(*arguments: str) -> str:
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_untuned_bases_stand_beside_each_other_the_best_first(home: Path) -> None:
    shown = json.loads(typed("bases", "--for", str(home / "corpus"), "--speaker", "Dot Marlowe", "--json"))
    assert shown["speaker"] == "Dot Marlowe"
    assert {one["base"] for one in shown["bases"]} == {"tiny-gemma3", "tiny-llama"}
    assert len({one["bytes"] for one in shown["bases"]}) == 1
    bits = [one["bits_per_byte"] for one in shown["bases"]]
    assert bits == sorted(bits)
    assert all(0 < one["tokens_per_character"] < 4 for one in shown["bases"])
    head, first, _, advice = typed("bases", "--for", str(home / "corpus"), "--speaker", "Dot Marlowe").splitlines()
    assert head.startswith("untuned, on")
    assert first.split()[0] == shown["bases"][0]["base"]
    assert advice.startswith(f"{shown['bases'][0]['base']} knows this text best, by ")


@pytest.mark.slow
def test_a_voice_is_trained_on_each_base_and_all_are_shown_together(home: Path) -> None:
    bases = ("--base", "gemma-3-270m", "--base", "smollm2-135m")
    shown = json.loads(
        typed("train", str(home / "corpus"), "--speaker", "Dot Marlowe", "--name", "dot", *bases, "--json")
    )
    assert len(shown["prompts"]) == 2
    assert [len(one["replies"]) for one in shown["voices"]] == [2, 2]
    assert {one["voice"] for one in shown["voices"]} == {"dot-gemma-3-270m", "dot-smollm2-135m"}
    assert all(is_there(one["voice"]) for one in shown["voices"])
    bits = [one["voice_bits_per_byte"] for one in shown["voices"]]
    assert bits == sorted(bits)
    assert all(one["peak_memory_bytes"] > 1e8 and one["minutes"] > 0 for one in shown["voices"])


def test_a_plan_is_for_one_base() -> None:
    ended = CliRunner().invoke(app, ["plan", "corpus", "--base", "a", "--base", "b"])
    assert "one base at a time, not a, b" in str(ended.exception)


def test_a_voice_on_a_base_is_called_by_both() -> None:
    assert name_on("anna", "Qwen/Qwen3-0.6B-Base") == "anna-qwen3-0-6b-base"
    assert len(name_on("a" * 64, "x" * 80)) <= 64
