"""GGUF files for llama.cpp: its own tokens, template and choices, against the voice's."""

from pathlib import Path

import msgspec
import pytest

from exported import MakeVoice
from manera.bases import metadata
from manera.errors import ExportError
from manera.exports import gguf_model
from manera.exports.folder import export
from manera.exports.parity import SAME_CHOICE, SAME_IDS, Compared, compared, require
from manera.records import ExampleKind
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice


@pytest.mark.parametrize("kind", ["dialogue", "post", "continuation"])
def test_llama_cpp_reads_the_file_as_the_voice(
    kind: ExampleKind, tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    exported = export(make_voice(kind), tiny_base, "gguf", tmp_path / "out", "bfloat16", replace=False)
    ids, choice = exported.checks
    assert (ids.name, ids.share) == (SAME_IDS, 1.0)
    assert (choice.name, choice.counted > 20) == (SAME_CHOICE, True)
    reader = metadata.open_gguf(tmp_path / "out" / f"{kind}.gguf")
    assert metadata.value(reader, "general.name") == kind
    assert "messages" in metadata.value(reader, "tokenizer.chat_template")
    assert metadata.value(reader, "tokenizer.ggml.eot_token_id") == 1


@pytest.fixture
def voice(make_voice: MakeVoice) -> Voice:
    return make_voice("dialogue")


@pytest.fixture
def expected(voice: Voice, tiny_base: Path) -> Compared:
    return compared(voice, tiny_base, voice_folder(voice.name))


def test_a_wrong_scale_or_template_is_caught(voice: Voice, expected: Compared, tiny_base: Path, tmp_path: Path) -> None:
    state = adapter.read_peft(voice_folder(voice.name))
    wrong = {
        SAME_CHOICE: msgspec.structs.replace(voice, recipe=msgspec.structs.replace(voice.recipe, alpha=0.1)),
        SAME_IDS: msgspec.structs.replace(voice, chat_template=voice.chat_template.replace("A", "Q")),
    }
    for told, spoiled in wrong.items():
        gguf_model.write_model(spoiled, tiny_base, state, tmp_path / "spoiled.gguf")
        with pytest.raises(ExportError, match=told):
            require(gguf_model.check(tmp_path / "spoiled.gguf", expected))


def test_a_file_that_llama_cpp_cannot_read_is_named(expected: Compared, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes((tiny_base / "base.gguf").read_bytes()[:30_000])
    with pytest.raises(ExportError, match="cannot read"):
        gguf_model.check(tmp_path / "cut.gguf", expected)
