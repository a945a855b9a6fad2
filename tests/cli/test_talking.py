"""``manera chat``, its input typed or piped."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapted import write_adapted_voice
from manera.bases import base_model
from manera.cli.main import app

GREEDY = ("--temperature", "0", "--max-tokens", "8")


@pytest.fixture(autouse=True)
def voice(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    shutil.copytree(tiny_base, tmp_path / "bases" / base_model.folder_name(("ru", "en")))
    write_adapted_voice(tiny_base, "anna")


def chat(said: str) -> Result:
    ended = CliRunner().invoke(app, ["chat", "anna", *GREEDY], input=said, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended


def written(text: str) -> str:
    return CliRunner().invoke(app, ["write", "anna", text, *GREEDY], catch_exceptions=False).stdout


@pytest.mark.parametrize("typed", ["/rest", "/", "/help me", "/reset all"])
def test_what_looks_like_a_command_and_is_none_is_not_said(typed: str) -> None:
    told = chat(f"{typed}\n")
    assert told.stdout == ""
    for listed in (f"{typed.split()[0]!r} is no command", "/reset", "/quit", "//"):
        assert listed in told.stderr


def test_a_word_that_was_not_said_is_not_in_the_conversation() -> None:
    assert chat("/rest\nПривет\n").stdout == written("Привет")


def test_two_slashes_say_one() -> None:
    assert chat("//reset\n").stdout == written("/reset") != written("//reset")


def test_commands_are_obeyed_and_not_listed() -> None:
    told = chat("Привет\n/reset\nПривет\n/quit\nПривет\n")
    assert told.stdout == 2 * written("Привет")
    assert "no command" not in told.stderr


def test_many_empty_lines_are_passed_over() -> None:
    assert chat("\n" * 2000 + "Привет\n").stdout == written("Привет")
