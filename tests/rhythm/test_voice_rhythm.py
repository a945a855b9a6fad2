"""A voice carries its rhythm, works without one, and says so where it is broken."""

from itertools import chain
from pathlib import Path

import msgspec
import pytest
from talks import DAY, START, planted_talk, say

from manera.errors import ModelError
from manera.evaluation.parts import rhythm as part
from manera.evaluation.reasons import NotMeasuredError
from manera.rhythm.learning import learn
from manera.rhythm.record import FORMAT
from manera.voice.folder import RHYTHM, voice_folder
from manera.voice.rhythm import read_compared, read_rhythm, write_rhythm


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    place = voice_folder("asya")
    place.mkdir(parents=True)
    return place


def test_a_rhythm_comes_back_as_it_was_written(folder: Path) -> None:
    learned = learn(planted_talk(40), "asya")
    assert learned is not None
    write_rhythm(learned, folder)
    assert (read_rhythm("asya"), read_compared("asya")) == learned
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert "придёшь" not in "".join(path.read_text("utf-8") for path in folder.iterdir())


def test_a_voice_without_a_rhythm_has_none(folder: Path) -> None:
    write_rhythm(None, folder)
    assert list(folder.iterdir()) == []
    assert read_rhythm("asya") is None
    with pytest.raises(NotMeasuredError, match="no rhythm"):
        list(part.measure("asya", 0))


@pytest.mark.parametrize("harm", [b"{]", b"\xff", b'{"bubbles": 1}'])
def test_a_broken_rhythm_says_which_file(folder: Path, harm: bytes) -> None:
    (folder / RHYTHM).write_bytes(harm)
    with pytest.raises(ModelError, match=r"rhythm\.json cannot be read"):
        read_rhythm("asya")


def test_a_later_format_is_refused(folder: Path) -> None:
    learned = learn(planted_talk(40), "asya")
    assert learned is not None
    later = msgspec.structs.replace(learned.rhythm, format=FORMAT + 1)
    (folder / RHYTHM).write_bytes(msgspec.json.encode(later))
    with pytest.raises(ModelError, match="format 2"):
        read_rhythm("asya")


def test_a_report_finds_the_drawn_waits_nearer_than_the_usual_rule(folder: Path) -> None:
    write_rhythm(learn(planted_talk(100), "asya"), folder)
    found = {metric.id: metric for metric in part.measure("asya", 0)}
    drawn, usual = found["rhythm.waiting.voice"], found["rhythm.waiting.usual"]
    assert drawn.value is not None
    assert usual.value == 1
    assert drawn.value < 0.25
    assert (drawn.low or 0) <= drawn.value <= (drawn.high or 0)
    assert set(found) == {f"rhythm.waiting.{whose}" for whose in ("voice", "usual", "before")} | {
        f"rhythm.bubbles.{whose}" for whose in ("voice", "before")
    }


def test_too_few_held_out_answers_are_not_measured(folder: Path) -> None:
    alone = (say("asya", "утро", 10**6 + day, START + day * DAY) for day in range(20, 32))
    write_rhythm(learn(chain(planted_talk(12), alone), "asya"), folder)
    with pytest.raises(NotMeasuredError, match="and 8 are needed"):
        list(part.measure("asya", 0))
