"""Voices of the tiny base, one of each kind, in a home of their own."""

from pathlib import Path

import msgspec
import pytest

from adapted import ALPHA, RANK, adapted_model
from exported import INSTRUCTION, MakeVoice, examples
from manera.files import write_records
from manera.records import ExampleKind
from manera.training import lora
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import Voice, write_voice
from manera.voice.recipe import Recipe
from tiny import tiny_voice


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices-home")


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(home))


@pytest.fixture
def make_voice(tiny_base: Path) -> MakeVoice:
    """Write a voice's folder, if it is not there yet, as training would."""

    def make_voice(kind: ExampleKind) -> Voice:
        described = tiny_voice(tiny_base, kind, kind, INSTRUCTION if kind == "post" else None)
        voice = msgspec.structs.replace(described, recipe=Recipe(rank=RANK, alpha=ALPHA))
        folder = voice_folder(voice.name)
        if not folder.exists():
            (folder / "dataset").mkdir(parents=True)
            state = lora.adapter_state(adapted_model(tiny_base, strength=0.2))
            adapter.write_peft(state, folder, RANK, ALPHA, voice.base.id)
            adapter.write_gguf(state, folder / ADAPTER_GGUF, ALPHA, tiny_base)
            for part in ("train", "validation", "test"):
                write_records(folder / "dataset" / f"{part}.jsonl", examples(kind))
            write_voice(voice, folder)
        return voice

    return make_voice
