"""``manera train --continue``: what is refused before anything is loaded; ``manera preferences``."""

from pathlib import Path

import pytest

from manera.cli.growing import go_on, require_corpus, show_preferences
from manera.errors import ModelError, SettingsError, TrainingError
from manera.jobs.folder import Tenant
from manera.jobs.preferences import keep_preference
from manera.records import Message
from manera.voice.folder import voice_folder
from manera.voice.manifest import write_voice
from manera.voice.preferences import Pair, read_pairs
from tiny import tiny_voice


@pytest.fixture(autouse=True)
def anna(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    voice_folder("anna").mkdir(parents=True)
    write_voice(tiny_voice(tiny_base, "anna"), voice_folder("anna"))


def train(voice: str = "anna", corpus: Path | None = None, pairs: Path | None = None, base: str | None = None) -> None:
    go_on(voice, corpus, pairs, None, None, {}, base, False, False)


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(SettingsError, match="nothing to learn from"):
        require_corpus(None, None)


def test_pairs_without_a_voice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="pairs are learned by a voice that is there") as refused:
        require_corpus(tmp_path, tmp_path / "pairs.jsonl")
    assert "--continue VOICE" in str(refused.value.hint)


def test_text_and_pairs_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one after the other"):
        train(corpus=tmp_path, pairs=tmp_path / "pairs.jsonl")


def test_preferences_are_printed_as_pairs_without_who_gave_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (Message("user", "Как дела?"),)
    keep_preference("anna", Tenant("web", "somebody"), asked, "Хорошо.", "Отлично!", "correction")
    keep_preference("anna", Tenant("bot", "telegram:7"), asked, None, "Как сказать…", "thumb")
    show_preferences("anna")
    printed = capsys.readouterr().out
    assert "somebody" not in printed
    assert "telegram" not in printed
    (tmp_path / "pairs.jsonl").write_text(printed, "utf-8")
    assert read_pairs(tmp_path / "pairs.jsonl") == [
        Pair(asked, "Хорошо.", "Отлично!"),
        Pair(asked, None, "Как сказать…"),
    ]


def test_preferences_of_a_voice_without_any_are_refused() -> None:
    with pytest.raises(ModelError, match="there are no preferences in"):
        show_preferences("anna")
    with pytest.raises(ModelError, match="no voice 'boris'"):
        show_preferences("boris")


def test_a_voice_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="no voice 'boris'"):
        train("boris")


def test_another_base_is_refused() -> None:
    with pytest.raises(TrainingError, match="smollm2-135m is another base"):
        train(base="smollm2-135m")
