"""vLLM's folder: what its command names is there. vLLM itself is not run here."""

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from exported import MakeVoice
from manera.errors import ExportError
from manera.exports import vllm
from manera.exports.folder import export
from manera.voice.recipe import Recipe
from tiny import tiny_voice


def test_the_script_calls_vllm_from_its_own_folder(tiny_base: Path, make_voice: MakeVoice, tmp_path: Path) -> None:
    export(make_voice("dialogue"), tiny_base, "vllm", tmp_path / "out", "float32", replace=False)
    stand_in = tmp_path / "bin" / "vllm"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\npwd\nfor argument in "$@"; do echo "$argument"; done\n')
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        [tmp_path / "out" / vllm.SCRIPT, "--port", "8001"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    where, *arguments = ran.stdout.splitlines()
    assert Path(where).samefile(tmp_path / "out")
    assert arguments[:2] == ["serve", "base"]
    assert arguments[-2:] == ["--port", "8001"]
    options = dict(pairwise(arguments))
    assert options["--lora-modules"] == "dialogue=adapter"
    assert options["--max-lora-rank"] == "8"
    assert (tmp_path / "out" / options["--chat-template"]).is_file()
    assert (tmp_path / "out" / "adapter" / "adapter_config.json").is_file()
    assert "max_new_tokens" not in json.loads((tmp_path / "out/base/generation_config.json").read_bytes())


def test_ranks_are_rounded_up_to_what_vllm_takes(tiny_base: Path) -> None:
    def limit(rank: int) -> str:
        arguments = vllm.command(msgspec.structs.replace(tiny_voice(tiny_base, "v"), recipe=Recipe(rank=rank)))
        return arguments[arguments.index("--max-lora-rank") + 1]

    assert [limit(rank) for rank in (1, 8, 9, 16, 200, 512)] == ["8", "8", "16", "16", "256", "512"]
    with pytest.raises(ExportError, match="up to rank 512"):
        limit(513)
