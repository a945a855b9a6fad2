"""Folders for transformers and peft: they load without manera, and are refused when they are not the voice."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from safetensors.torch import load_file, save_file

from exported import SPOKEN, MakeVoice
from manera.bases import base_model
from manera.errors import ExportError, ModelError
from manera.exports import hugging_face, transformers_parity
from manera.exports.folder import RECORD, Format, export
from manera.exports.hugging_face import Dtype
from manera.exports.parity import SAME_CHOICE, SAME_IDS, compared, require
from manera.generation.reply import voice_writer
from manera.records import ExampleKind, Message
from manera.voice.folder import voice_folder

KINDS: list[ExampleKind] = ["dialogue", "post", "continuation"]
FORMATS: tuple[Format, ...] = get_args(Format)
DTYPES: list[Dtype] = ["float32", "bfloat16"]

ALONE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
model = AutoPeftModelForCausalLM.from_pretrained("adapter").eval()
tokenizer = AutoTokenizer.from_pretrained("base")
said = json.load(sys.stdin)
prompt = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**prompt, do_sample=False, max_new_tokens=8)
assert not any(name.startswith("manera") for name in sys.modules)
print(json.dumps([prompt["input_ids"][0].tolist(), tokenizer("море").input_ids, written.shape[1]]))
"""


@pytest.mark.parametrize("to", ["peft", "merged"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_exported_and_agrees(
    kind: ExampleKind, to: Format, tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    exported = export(make_voice(kind), tiny_base, to, tmp_path / "out", "float32", replace=False)
    assert [(check.name, check.share) for check in exported.checks] == [(SAME_IDS, 1.0), (SAME_CHOICE, 1.0)]
    assert all(check.counted > 20 for check in exported.checks)
    assert json.loads((tmp_path / "out" / RECORD).read_bytes())["checks"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_transformers_and_peft_load_it_without_manera(tiny_base: Path, make_voice: MakeVoice, tmp_path: Path) -> None:
    voice = make_voice("dialogue")
    export(voice, tiny_base, "peft", tmp_path / "out", "float32", replace=False)
    said = [{"role": "user", "content": "Привет"}, {"role": "user", "content": "как дела?"}]
    ran = subprocess.run(
        [sys.executable, "-c", ALONE],
        input=json.dumps(said),
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    prompt, plain, written = json.loads(ran.stdout)
    encoder = voice_writer(voice, base_model.load_tokenizer(tiny_base)).encoder
    assert prompt == encoder.prompt([Message("user", "Привет\nкак дела?")])
    assert plain == [encoder.bos, *encoder.text("море")]
    assert written > len(prompt)


def test_bfloat16_is_half_as_large(tiny_base: Path, make_voice: MakeVoice, tmp_path: Path) -> None:
    sizes = []
    for dtype in DTYPES:
        (tmp_path / dtype).mkdir()
        hugging_face.write_model(make_voice("post"), tiny_base, tmp_path / dtype, dtype)
        sizes.append((tmp_path / dtype / "model.safetensors").stat().st_size)
    assert sizes[1] / sizes[0] == pytest.approx(0.5, abs=0.02)


def edit(path: Path, **changed: object) -> None:
    document = json.loads(path.read_text("utf-8"))
    assert changed.keys() <= document.keys()
    path.write_text(json.dumps(document | changed), "utf-8")


def swap_template(folder: Path) -> None:
    (folder / "base/chat_template.jinja").unlink()
    template = "{{ bos_token }}{% for message in messages %}User: {{ message['content'] }}\n{% endfor %}"
    edit(folder / "base/tokenizer_config.json", chat_template=template)


def change_scale(folder: Path) -> None:
    edit(folder / "adapter/adapter_config.json", lora_alpha=0.5)


def damage_adapter(folder: Path) -> None:
    flip(folder / "adapter/adapter_model.safetensors")


def flip(path: Path) -> None:
    tensors = load_file(path)
    save_file({name: tensor.flip(0) if "lora_B" in name else tensor for name, tensor in tensors.items()}, path)


def cut_adapter(folder: Path) -> None:
    path = folder / "adapter/adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def repeat_bos(folder: Path, times: int = 2) -> None:
    path = folder / "base/chat_template.jinja"
    path.write_text(path.read_text("utf-8").replace("{{ bos_token }}", "{{ bos_token }}" * times), "utf-8")


def lose_bos(folder: Path) -> None:
    repeat_bos(folder, 0)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (swap_template, SAME_IDS),
        (lose_bos, SAME_IDS),
        (repeat_bos, SAME_IDS),
        (change_scale, SAME_CHOICE),
        (damage_adapter, SAME_CHOICE),
        (cut_adapter, "cannot read"),
    ],
)
def test_what_is_not_the_voice_is_caught(
    spoil: Callable[[Path], None], told: str, tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    voice, folder = make_voice("dialogue"), tmp_path / "out"
    export(voice, tiny_base, "peft", folder, "float32", replace=False)
    expected = compared(voice, tiny_base, voice_folder(voice.name))
    require(transformers_parity.check(folder / "base", folder / "adapter", expected))
    spoil(folder)
    with pytest.raises(ExportError, match=told):
        require(transformers_parity.check(folder / "base", folder / "adapter", expected))


def test_a_voice_whose_files_do_not_fit_leaves_nothing_behind(
    tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    voice = make_voice("post")
    for changed, told in (({"rank": 8}, "does not fit its manifest"), ({"alpha": 1.0}, "one is damaged")):
        damaged = msgspec.structs.replace(voice, recipe=msgspec.structs.replace(voice.recipe, **changed))
        with pytest.raises(ModelError, match=told):
            export(damaged, tiny_base, "peft", tmp_path / "out", "float32", replace=False)
    other = msgspec.structs.replace(voice, base=msgspec.structs.replace(voice.base, revision="other"))
    with pytest.raises(ModelError, match="revision"):
        export(other, tiny_base, "peft", tmp_path / "out", "float32", replace=False)
    assert list(tmp_path.iterdir()) == []


def test_a_voice_with_a_damaged_adapter_is_not_exported(
    tiny_base: Path, make_voice: MakeVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = make_voice("post")
    shutil.copytree(voice_folder(voice.name), tmp_path / "voices" / voice.name)
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    flip(voice_folder(voice.name) / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="one is damaged"):
        export(voice, tiny_base, "gguf", tmp_path / "out", "float32", replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["voices"]


def test_a_place_that_is_taken_is_replaced_only_when_it_is_an_export(
    tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    voice, folder = make_voice("post"), tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for replace, told in ((False, "is there already"), (True, "is not an export")):
        with pytest.raises(ExportError, match=told):
            export(voice, tiny_base, "merged", folder, "float32", replace)
    (folder / RECORD).touch()
    export(voice, tiny_base, "merged", folder, "float32", replace=True)
    assert not (folder / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", FORMATS)
def test_no_word_that_was_learned_from_is_exported(
    to: Format, kind: ExampleKind, tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    export(make_voice(kind), tiny_base, to, tmp_path / "out", "float32", replace=False)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        content = path.read_bytes()
        assert not [line for line in SPOKEN if line[:20].encode() in content], path
        assert b"user1" not in content, path  # who the persona is in the corpus
