"""``manera export`` as it is typed, on the built-in base."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from adapted import ALPHA, RANK, adapted_model
from exported import MakeVoice, examples
from manera.files import write_records
from manera.training import lora
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice


def run(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manera.cli.main", "export", *map(str, arguments)],
        env=os.environ | {"MANERA_HOME": str(home)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody", "--to", "peft"], "no voice 'nobody'"),
        (["post", "--to", "cake"], "--to 'cake' is not known"),
        (["post", "--to", "peft", "--dtype", "int3"], "--dtype 'int3' is not known"),
        (["post", "--to", "hub"], "no repository to upload to"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: list[str], told: str, home: Path, make_voice: MakeVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_voice("post")
    monkeypatch.chdir(tmp_path)
    failed = run(*arguments, home=home)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {told}")
    assert "hint: " in failed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_voice_of_the_builtin_base_goes_to_the_hub_with_its_terms(
    builtin_home: Path, builtin_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(builtin_home))
    voice = msgspec.structs.replace(tiny_voice(builtin_base, "exported"), recipe=Recipe(rank=RANK, alpha=ALPHA))
    folder = voice_folder(voice.name)
    (folder / "dataset").mkdir(parents=True)
    state = lora.adapter_state(adapted_model(builtin_base, strength=0.005))
    adapter.write_peft(state, folder, RANK, ALPHA, voice.base.id)
    adapter.write_gguf(state, folder / ADAPTER_GGUF, ALPHA, builtin_base)
    write_records(folder / "dataset" / "test.jsonl", examples("dialogue"))
    write_voice(voice, folder)
    ran = run(voice.name, "--to", "hub", "--dry-run", "--out", tmp_path / "out", "--json", home=builtin_home)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["address"] is None
    assert {"NOTICE", "GEMMA_TERMS.html", "README.md", "model.safetensors"} <= told["files"].keys()
    assert all(check["share"] >= check["least"] for check in told["checks"])
    assert "would upload" in ran.stderr
    assert "ai.google.dev/gemma/terms" in (tmp_path / "out" / "NOTICE").read_text("utf-8")
    assert "license: gemma" in (tmp_path / "out" / "README.md").read_text("utf-8")
