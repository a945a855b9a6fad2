"""A voice of every method goes to every format, or the format says why it cannot."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import torch

from exported import INSTRUCTION, examples
from manera.bases import base_model
from manera.errors import ExportError
from manera.exports.folder import Format, export
from manera.files import write_records
from manera.records import MethodName
from manera.training.methods import method_of
from manera.training.settings import TrainingConfig, alpha_of
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice, write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice

IMPOSSIBLE = {
    ("full", "peft"): "has no adapter",
    ("full", "vllm"): "has no adapter",
    ("dora", "vllm"): "vLLM applies no DoRA",
}


def a_voice(method: MethodName, base: Path) -> Voice:
    """Write a voice that learned something at random, if it is not there yet."""
    config = TrainingConfig(method=method, rank=4)
    recipe = Recipe(method=method, rank=4, alpha=alpha_of(config))
    voice = msgspec.structs.replace(tiny_voice(base, method, "post", INSTRUCTION), recipe=recipe)
    folder = voice_folder(method)
    if folder.exists():
        return voice
    (folder / "dataset").mkdir(parents=True)
    model: Any = base_model.load(base)
    learns = method_of(method)
    learns.make_trainable(model, config, "float32")
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapter.write(learns.state(model), folder, recipe, base)
    for part in ("train", "validation", "test"):
        write_records(folder / "dataset" / f"{part}.jsonl", examples("post"))
    write_voice(voice, folder)
    return voice


@pytest.mark.parametrize("to", ["peft", "merged", "gguf", "vllm"])
@pytest.mark.parametrize("method", get_args(MethodName))
def test_a_voice_of_every_method_goes_to_every_format_that_holds_it(
    method: MethodName, to: Format, tiny_base: Path, tmp_path: Path
) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes")
    voice = a_voice(method, tiny_base)
    if (method, to) in IMPOSSIBLE:
        with pytest.raises(ExportError, match=IMPOSSIBLE[method, to]) as refused:
            export(voice, tiny_base, to, tmp_path / "out", "float32", replace=False)
        assert refused.value.hint == "--to merged"
        assert not list(tmp_path.iterdir())
    else:
        exported = export(voice, tiny_base, to, tmp_path / "out", "float32", replace=False)
        assert all(check.share >= check.least for check in exported.checks)
