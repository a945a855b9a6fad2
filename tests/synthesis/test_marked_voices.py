"""What a model wrote is marked so wherever a voice of it is shown."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manera.corpus.cleaning import Cleaning
from manera.corpus.storage import open_corpus, write
from manera.evaluation.budget import FAST
from manera.evaluation.report.document import Report, read_report, write_report
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.page import write_page
from manera.exports.card import card as hub_card
from manera.faces.web import pieces
from manera.faces.web.words import words_of
from manera.jobs import cards
from manera.records import Opened, SourceRecord, Utterance
from manera.training.again import material_of
from manera.training.learn import learn
from manera.training.settings import TrainingConfig
from manera.voice.folder import voice_folder
from manera.voice.manifest import read_voice
from tiny import TEXT, tiny_voice

LINES = [line for line in TEXT.split("\n") if line]
QUICK = TrainingConfig(
    precision="float32", compile="off", rank=4, alpha=8, max_length=192, batch_tokens=400, epochs=1, learning_rate=3e-3
)


def synthetic_corpus(folder: Path) -> None:
    answers = folder.with_suffix(".jsonl")
    answers.write_text("{}\n", "utf-8")

    def records() -> Iterator[SourceRecord]:
        yield Opened("synthetic", answers.name, answers)
        for place in range(32):
            text = f"{LINES[place % 12]} {place}"
            yield Utterance("дачник", "дачник", text, "дачник", place, "post", answers.name, title=f"тема {place}")

    write(records(), folder, cleaning=Cleaning(manner_only=False), synthetic=("a-model",))


def test_a_voice_of_a_synthetic_corpus_says_so_on_its_card_in_its_export_and_when_it_goes_on(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path / "home"))
    synthetic_corpus(tmp_path / "corpus")
    list(learn(open_corpus(tmp_path / "corpus"), None, "made", QUICK, tiny_base))
    voice = read_voice("made")
    assert voice.synthetic == ("a-model",)
    card = cards.card("made", can_talk=True)
    assert card.synthetic == ("a-model",)
    shown = pieces.cards([msgspec.to_builtins(card)], words_of("en"))
    assert "synthetic text, written by a-model" in shown
    page = hub_card(voice, voice_folder("made"), ())
    assert "\n- synthetic\n" in page
    assert "learned from synthetic text, written by a-model, not by a person" in page
    assert material_of(voice, tiny_base).synthetic == ("a-model",)


def test_a_voice_of_a_person_has_no_such_mark(tiny_base: Path, tmp_path: Path) -> None:
    assert "synthetic" not in hub_card(tiny_voice(tiny_base, "anna"), tmp_path, ())


@pytest.mark.parametrize(("language", "words"), [("en", "Synthetic:"), ("ru", "Синтетика:")])
def test_a_report_says_that_a_model_wrote_what_it_is_held_against(tmp_path: Path, language: str, words: str) -> None:
    told = Report("made", "post", "2026-01-01T00:00:00Z", "0", 0, FAST, {}, True, "why", {}, (), 1.0)
    marked = msgspec.structs.replace(told, synthetic=("a-model",))
    write_report(marked, tmp_path)
    assert read_report(tmp_path) == marked
    page = write_page(marked, Findings(), "дачник", [], tmp_path, language).read_text("utf-8")
    assert words in page
    assert "a-model" in page
    assert words not in write_page(told, Findings(), "дачник", [], tmp_path, language).read_text("utf-8")
