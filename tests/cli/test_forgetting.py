"""``manera forget`` and ``manera voices``: a person goes, and the voices that know them are marked everywhere."""

import json
from pathlib import Path

import pytest

from adapted import write_adapted_voice
from commands import run
from manera.corpus.keys import keys_of
from manera.corpus.storage import open_corpus, write
from manera.errors import ModelError
from manera.jobs import cards
from manera.records import Utterance
from manera.training.again import require_fitting
from manera.training.settings import TrainingConfig
from manera.voice.folder import KNOWN, MANIFEST, voice_folder
from manera.voice.known import write_known
from manera.voice.manifest import read_voice


def said(number: int, speaker: str) -> Utterance:
    return Utterance(speaker, speaker, f"слово {number}", "чат", number, "message", "r.json", number, thread_id="chat7")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    write([said(1, "Аня"), said(2, "Боря"), said(3, "Аня")], tmp_path / "c")
    return tmp_path / "c"


def voice(base: Path, name: str, known: list[Utterance] | None) -> None:
    write_adapted_voice(base, name)
    if known is not None:
        write_known(keys_of(known), voice_folder(name))


def test_voices_that_know_who_is_forgotten_are_marked_and_not_gone_on_with(corpus: Path, tiny_base: Path) -> None:
    home = corpus.parent
    voice(tiny_base, "knows", list(open_corpus(corpus).utterances()))
    voice(tiny_base, "other", [said(9, "Вера")])
    shown = run("forget", corpus, "--speaker", "боря", home=home)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        f"forgot 1 utterances; 2 are left in {corpus}",
        f"stale: knows has learned from them; manera train {corpus} --name knows --replace",
    ]
    stale = cards.card("knows", can_talk=True).stale
    assert stale is not None
    assert stale.utterances == 1
    assert cards.card("other", can_talk=True).stale is None
    require_fitting(read_voice("other"), TrainingConfig())
    with pytest.raises(ModelError) as caught:
        require_fitting(read_voice("knows"), TrainingConfig())
    assert "forgotten" in caught.value.message
    listed = json.loads(run("voices", "--json", home=home).stdout)["voices"]
    assert [one["stale_since"] is not None for one in listed] == [True, False]
    assert "stale since" in run("voices", home=home).stdout


def test_voices_that_cannot_say_what_they_know_are_marked_by_their_person(corpus: Path, tiny_base: Path) -> None:
    voice(tiny_base, "old", None)
    voice(tiny_base, "broken", None)
    manifest = voice_folder("old") / MANIFEST
    described = json.loads(manifest.read_bytes())
    described["persona"]["speaker_id"] = "Аня"
    manifest.write_text(json.dumps(described), "utf-8")
    (voice_folder("broken") / MANIFEST).write_text("{", "utf-8")
    found = json.loads(run("forget", corpus, "--message", "чат/2", "--json", home=corpus.parent).stdout)
    assert found == {"forgotten": 1, "stale_voices": ["old"], "unfinished_runs": []}
    assert not (voice_folder("old") / KNOWN).exists()
    assert "is not a voice's manifest" in run("voices", home=corpus.parent).stderr


def test_it_has_to_be_said_who_or_what(corpus: Path) -> None:
    for options in ((), ("--speaker", "Аня", "--message", "1")):
        failed = run("forget", corpus, *options, home=corpus.parent)
        assert failed.returncode == 1
        assert "say whom or what to forget" in failed.stderr
    nobody = run("forget", corpus, "--speaker", "Никто", home=corpus.parent)
    assert nobody.returncode == 1
    assert "manera speakers" in nobody.stderr
    assert "manera forget" not in nobody.stderr  # what is copied from there would take out somebody else
