"""What is known to go wrong on the way from an export to examples: bursts, context, who speaks first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.corpus.conversations import conversations
from manera.dataset.examples import dialogues, messages_of
from manera.records import Conversation, Example
from told import read_text, utterances

CHAT = """\
12.03.2024, 18:05 - Ася: первое
с новой строки
12.03.2024, 18:05 - Ася: второе.
12.03.2024, 18:06 - Вера: и я тут
12.03.2024, 18:07 - Боря: раз

два
12.03.2024, 18:07 - Боря: три!
12.03.2024, 18:08 - Боря: четыре
12.03.2024, 18:09 - Ася: пять
"""


@pytest.fixture
def talks(tmp_path: Path) -> list[Conversation]:
    return list(conversations(utterances(read_text(tmp_path / "двор.txt", CHAT))))


def examples_of(talks: list[Conversation], speaker: str) -> Iterator[Example]:
    for talk in talks:
        yield from dialogues(talk, speaker, 999, len)[0]


def test_line_breaks_and_the_borders_of_messages_survive(talks: list[Conversation]) -> None:
    (example,) = examples_of(talks, "Боря")
    assert [messages_of(text) for text in example.targets] == [["раз\n\nдва", "три!", "четыре"]]


def test_nothing_that_came_before_an_answer_is_lost_or_without_its_name(talks: list[Conversation]) -> None:
    (example,) = examples_of(talks, "Боря")
    (asked,) = [message.content for message in example.messages if message.role == "user"]
    assert all(part in asked for part in ("первое", "с новой строки", "второе.", "и я тут", "Ася", "Вера"))


def test_who_speaks_first_is_not_told_what_to_say(talks: list[Conversation]) -> None:
    for example in examples_of(talks, "Ася"):
        asked = [message.content for message in example.messages if message.role != "assistant"]
        assert not any(own in text for text in asked for own in ("первое", "второе", "пять"))
