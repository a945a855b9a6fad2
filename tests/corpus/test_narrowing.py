"""Chats and days that were not asked for are left out by name."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from manera.config import resolve
from manera.corpus.narrowing import NO_DAY, OTHER_CHAT, OTHER_DAY, narrow
from manera.corpus.settings import CorpusConfig
from manera.errors import CorpusError, SettingsError
from manera.records import Dropped, Opened, SourceRecord, Utterance

DAY = 86_400


def said(thread: str = "Аня (7)", sent_at: int | None = 0, thread_id: str | None = None) -> Utterance:
    return Utterance("а", "А", "да нет", thread, 1, "message", "x.json", sent_at, thread_id=thread_id)


def kept(*records: SourceRecord, **settings: object) -> tuple[list[Utterance], Counter[str]]:
    found = list(narrow(records, CorpusConfig.model_validate(settings)))
    return (
        [record for record in found if isinstance(record, Utterance)],
        Counter(record.reason for record in found if isinstance(record, Dropped)),
    )


def test_without_settings_everything_passes() -> None:
    records: list[SourceRecord] = [said(), Dropped("sticker", "x.json")]
    assert list(narrow(records, CorpusConfig())) == records


def test_days_may_be_written_with_dots() -> None:
    assert CorpusConfig.model_validate({"since": "01.02.2024"}).since == date(2024, 2, 1)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"since": "2025"}, "since = '2025': a day is written as 2024-02-29, or as 29.02.2024"),
        ({"until": "31.02.2024"}, "until = '31.02.2024': a day is written as"),
        ({"since": "2025-02-01", "until": "2024-01-01"}, "used: since 2025-02-01 is after until 2024-01-01"),
    ],
    ids=["a year", "no such day", "the wrong way round"],
)
def test_days_that_cannot_be_are_told_with_what_can(flags: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(CorpusConfig, "corpus", flags)
    assert told in caught.value.message
    assert "Value error" not in caught.value.message


def test_days_are_whole_and_in_utc() -> None:
    first, last, after = said(sent_at=DAY), said(sent_at=2 * DAY - 1), said(sent_at=2 * DAY)
    found, dropped = kept(said(sent_at=DAY - 1), first, last, after, since="1970-01-02", until="1970-01-02")
    assert found == [first, last]
    assert dropped == {OTHER_DAY: 2}


def test_what_has_no_day_lies_in_none() -> None:
    assert kept(said(sent_at=None), since="1970-01-01") == ([], {NO_DAY: 1})
    assert kept(said(sent_at=None)) == ([said(sent_at=None)], {})


@pytest.mark.parametrize("name", ["аня", "7", "Аня (7)", "chat7", "а*", "АНЯ (*"])
def test_a_chat_answers_to_its_name_and_its_id(name: str) -> None:
    own, other = said(thread_id="chat7"), said("Боря (8)", thread_id="chat8")
    assert kept(own, other, only=[name]) == ([own], {OTHER_CHAT: 1})
    assert kept(own, other, exclude=[name]) == ([other], {OTHER_CHAT: 1})


def test_a_topic_is_left_out_alone_and_with_its_chat() -> None:
    topic, rest = said("Дом (7) / Шум", thread_id="chat7/3"), said("Дом (7)", thread_id="chat7")
    assert kept(topic, rest, exclude=["дом / шум"]) == ([rest], {OTHER_CHAT: 1})
    assert kept(topic, rest, said("x (1)"), exclude=["дом"])[1] == {OTHER_CHAT: 2}


def test_brackets_in_a_name_are_letters() -> None:
    assert kept(said("[ok] чат"), said("o чат"), only=["[ok]*"])[0] == [said("[ok] чат")]


@pytest.mark.parametrize("option", ["only", "exclude"])
def test_a_chat_that_is_not_there_is_an_error_with_the_closest(option: str) -> None:
    with pytest.raises(CorpusError) as caught:
        kept(said("Работа"), said("Дом"), **{option: ["Работы"]})
    assert caught.value.message == "there is no chat 'Работы' among 2"
    assert caught.value.hint == 'closest is "Работа"'


@pytest.mark.parametrize(
    "wrong", [{"since": "2025"}, {"until": "вчера"}, {"since": "2025-02-01", "until": "2025-01-01"}]
)
def test_a_day_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        CorpusConfig.model_validate(wrong)


def test_other_records_pass() -> None:
    opened = Opened("prose", "x", Path("x"))
    assert list(narrow([opened, said()], CorpusConfig(only=("Аня",)))) == [opened, said()]
