"""What ``manera import telegram:`` says before Telegram is asked."""

from pathlib import Path

import pytest

from manera.cli.fetching import fetched
from manera.errors import SettingsError


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("API_ID", "API_HASH", "CHAT_ID"):
        monkeypatch.delenv(name, raising=False)


def test_files_are_left_as_they_are() -> None:
    assert fetched([Path("result.json"), Path("blog")]) == [Path("result.json"), Path("blog")]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("", "API_ID and API_HASH are not set"),
        ("API_ID=abc\nAPI_HASH=def\n", "API_ID is not a number"),
        ("API_ID=12\n", "API_HASH is missing"),
        ("API_ID=12\nAPI_HASH=def\n", "telegram: names no chat"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(environment: str, message: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(environment)
    with pytest.raises(SettingsError, match=message) as caught:
        fetched([Path("telegram:")])
    assert ".env" in (caught.value.hint or "")
