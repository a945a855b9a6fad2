"""``manera memory``: what people said is shown, found, taken along and deleted without a server."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manera.cli.main import app
from manera.memory.opening import FILE
from manera.memory.store import Store
from manera.memory.talk import Said, Talk


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    with Store(str(tmp_path / FILE)) as store:
        for talk, text in (
            (Talk("", "anna", "u", "c"), "Мою собаку зовут Рекс"),
            (Talk("bot", "anna", "u", "c"), "Чужое"),
        ):
            store.answer(store.ask(talk, [Said(text)]), talk.user, "ясно")
    return tmp_path


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(app, ["memory", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_everybody_their_chats_and_what_was_said_are_shown() -> None:
    assert {(one["client"], one["turns"]) for one in json.loads(run("show", "--json"))["people"]} == {
        ("", 2),
        ("bot", 2),
    }
    assert "Мою собаку зовут Рекс" in run("show", "u")
    assert [line.partition("  ")[2] for line in run("show", "u", "--chat", "c").splitlines()] == [
        "user: Мою собаку зовут Рекс",
        "voice: ясно",
    ]
    assert "Чужое" in run("show", "u", "--key", "bot")


def test_what_was_said_is_found() -> None:
    found = json.loads(run("search", "u", "как зовут собаку", "--json"))["turns"]
    assert found[0]["text"] == "Мою собаку зовут Рекс"
    assert "Чужое" not in run("search", "u", "чужое")


def test_it_is_taken_along_and_deleted() -> None:
    (talked,) = json.loads(run("export", "u"))["conversations"]
    assert [turn["text"] for turn in talked["turns"]] == ["Мою собаку зовут Рекс", "ясно"]
    assert "forgot 2 turns" in run("forget", "u")
    assert json.loads(run("export", "u"))["conversations"] == []
    assert "Чужое" in run("export", "u", "--key", "bot")
