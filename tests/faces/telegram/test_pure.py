"""The bot's words, settings and how it cuts a reply."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.errors import SettingsError
from manera.faces.telegram import settings, words
from manera.faces.telegram.splitting import MAX_UNITS, bubbles, pieces


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_both_languages_say_the_same_things() -> None:
    russian, english = (
        json.loads((Path(words.__file__).parent / f"{language}.json").read_text("utf-8")) for language in ("ru", "en")
    )
    assert list(russian) == list(english)
    assert [fields(text) for text in russian.values()] == [fields(text) for text in english.values()]
    assert {f"command_{name}" for name in words.COMMANDS} <= set(russian)


@pytest.mark.parametrize(
    ("code", "language"), [("ru", "ru"), ("ru-RU", "ru"), ("en-GB", "en"), ("de", "en"), (None, "en")]
)
def test_language_is_the_users(code: str | None, language: str) -> None:
    assert words.language_for(code) == language


def test_a_message_is_a_line() -> None:
    assert bubbles("да\n\n  нет \nможет", 8) == ["да", "нет", "может"]
    assert bubbles("1\n2\n3\n4", 2) == ["1", "2\n3\n4"]
    assert bubbles(" \n", 8) == []


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_emoji_count_twice() -> None:
    assert [len(piece) for piece in pieces("🙂" * 3000)] == [2048, 952]
    assert pieces("а" * 4096) == ["а" * 4096]
    assert [len(piece) for piece in pieces("а" * 4097)] == [4096, 1]
    assert pieces("слово " * 1000)[0].endswith("слово")


@given(st.text(alphabet="аб 🙂\n", max_size=80), st.integers(2, 12))
def test_no_word_is_lost_and_every_piece_fits(text: str, most: int) -> None:
    cut = pieces(text, most)
    assert all(0 < units(piece) <= most for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert MAX_UNITS == 4096


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BOT_TOKEN=42:abc\nBOT_ALLOWED_USERS=1, 2\nBOT_PACE=none\n")
    monkeypatch.setenv("BOT_PACE", "brisk")
    for name in ("BOT_TOKEN", "BOT_ALLOWED_USERS"):
        monkeypatch.setenv(name, "")  # so that it is taken back afterwards
        monkeypatch.delenv(name)
    settings.load_environment()
    resolved = settings.resolve()
    assert (resolved.bot_id, resolved.allowed_users, resolved.pace) == (42, (1, 2), "brisk")
    assert settings.resolve(pace="real").pace == "real"
    assert "abc" not in repr(resolved)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "BOT_TOKEN is not set"),
        ({"BOT_TOKEN": "secret words"}, "BOT_TOKEN is not a bot's token"),
        ({"BOT_TOKEN": "4:a", "BOT_PACE": "slow"}, "pace = 'slow'"),
        ({"BOT_TOKEN": "4:a", "BOT_ALLOWED_USERS": "1,me"}, "'me'"),
        ({"BOT_TOKEN": "4:a", "BOT_WEBHOOK_URL": "https://a.example"}, "BOT_WEBHOOK_SECRET"),
    ],
)
def test_wrong_settings_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BOT_TOKEN", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said) as refused:
        settings.resolve()
    assert "secret words" not in refused.value.message
