"""``manera why``, from a voice's folder to what is shown."""

import json
from pathlib import Path

import pytest

from manera.cli import explaining
from manera.errors import ModelError
from manera.files import write_records
from manera.records import Example, Message
from manera.voice.manifest import write_voice
from tiny import tiny_voice


@pytest.fixture
def voice(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    folder = tmp_path / "voices" / "anna"
    (folder / "dataset").mkdir(parents=True)
    write_voice(tiny_voice(tiny_base, "anna"), folder)
    talk = (Message("user", "Где ты?"), Message("assistant", "сижу дома и читаю\nа ты"))
    write_records(folder / "dataset" / "train.jsonl", [Example(talk)])
    return "anna"


def test_nearest_training_message_is_shown_with_what_it_answered(
    voice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explaining.why(voice, "опять сижу дома и сплю", 5, as_json=False)
    shown = capsys.readouterr()
    likeness, _, message = shown.out.partition("\n")
    assert likeness.startswith("likeness 0.")
    assert "'сижу дома и'" in likeness
    assert message == "    > Где ты?\n    сижу дома и читаю\n\n"
    assert shown.err == ""


def test_json_is_one_document(voice: str, capsys: pytest.CaptureFixture[str]) -> None:
    explaining.why(voice, "сижу дома и читаю", 5, as_json=True)
    (origin,) = json.loads(capsys.readouterr().out)["origins"]
    assert origin["overlap"] == origin["similarity"] == 1
    assert origin["message"] == {"text": "сижу дома и читаю", "answers": "Где ты?"}


def test_voice_without_its_training_text_cannot_say_why(voice: str, tmp_path: Path) -> None:
    (tmp_path / "voices" / "anna" / "dataset" / "train.jsonl").unlink()
    with pytest.raises(ModelError, match="training text"):
        explaining.why(voice, "дома", 5, as_json=False)
