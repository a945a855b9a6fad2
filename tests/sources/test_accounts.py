"""Whatever a file holds: no reader fails, and every character is kept, or dropped for a named reason."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manera.corpus.census import Census
from manera.errors import ManeraError
from manera.records import Cut, Dropped, Opened, SourceRecord, Utterance, count_characters
from manera.sources import posts, prose, script
from manera.sources.decoding import decode
from manera.sources.files import SourceFile
from manera.sources.reading import read

ReadText = Callable[[SourceFile, str], Iterator[SourceRecord]]

SENTENCE = "Дед шёл вдоль забора и считал груши, которых за ночь стало меньше"
words = st.text(st.characters(codec="utf-8"), max_size=30)
lines = st.one_of(
    words,
    st.just(""),
    st.sampled_from(
        [
            *(
                "Примечания",
                "[1] Груши: сорт.",
                "ЧАСТЬ ВТОРАЯ",
                "Глава 1",
                "I",
                "12",
                "- 13 -",
                "* * *",
                "1899",
                "Contents",
            ),
            *("*** START OF THE PROJECT GUTENBERG EBOOK X ***", "*** END OF THE PROJECT GUTENBERG EBOOK X ***"),
            *(
                "АНЯ: (входит) Да.",
                "БОРЯ: Нет. [Уходит.]",
                "АНЯ:",
                "Аня. Да!",
                "Боря. Нет!",
                "ACT I",
                "Действующие лица",
            ),
            *("[Пауза.]", "(Молчит", "Written by: X", "Commercial Break", "т.Аня: да", "Г р и г о р и й", "_Аня._"),
            *("---", "title: x", "draft: true", "+++", "```", "~~~", "> ```", "    code();", "<!--", "-->", "# Title"),
            *("{% highlight rust %}", "{% endhighlight %}", "{{< figure >}}", "{% raw %}", "import x from 'y'"),
            *(
                f"{SENTENCE}, чем он боя-",
                "лся, и больше, чем он скажет вечером.{7}",
                f"    {SENTENCE}.",
                f"{SENTENCE} и",
            ),
        ]
    ),
)
texts = st.lists(lines, max_size=40).map("\n".join)


def accounted(records: Iterable[SourceRecord]) -> int:
    """Count the characters of what was kept, and of what was not."""
    total = 0
    for record in records:
        if isinstance(record, Utterance):
            total += count_characters(record.text)
        elif isinstance(record, Dropped | Cut):
            total += record.characters
    return total


@pytest.mark.parametrize("read_text", [prose.read, posts.read])
@given(text=texts)
@settings(max_examples=300, deadline=None)
def test_no_character_of_a_text_is_unaccounted_for(read_text: ReadText, text: str) -> None:
    text = text.replace("\r", "\n")
    file = SourceFile(Path("Груши.txt"), "Груши.txt", "Груши")
    assert accounted(read_text(file, text)) == count_characters(text)


replies = st.sampled_from(["АНЯ", "БОРЯ", "ВЕРА", "Guest #1"])
layouts = st.sampled_from(["{}: {}", "{}. {}", "{}\n{}\n", "{} (тихо): {}", "_{}._\n\n{}\n", "{} [тихо] {}"])


@given(
    spoken=st.lists(st.tuples(replies, words), min_size=10, max_size=20),
    layout=layouts,
    between=st.lists(lines, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_no_character_of_a_script_is_unaccounted_for(
    spoken: list[tuple[str, str]], layout: str, between: list[str]
) -> None:
    said = [layout.format(name, text) for name, text in spoken]
    text = "\n".join(part for pair in zip(said, [*between, *[""] * len(said)], strict=False) for part in pair)
    text = text.replace("\r", "\n")
    file = SourceFile(Path("Груши.txt"), "Груши.txt", "Груши")
    assume(script.is_script(file, text))
    assert accounted(script.read(file, text)) == count_characters(text)


anything = st.none() | st.booleans() | st.integers() | st.floats() | words
parts = st.lists(
    words
    | st.fixed_dictionaries({"type": st.sampled_from(["bold", "blockquote", "pre", "link"]) | anything, "text": words}),
    max_size=4,
)
messages = st.fixed_dictionaries(
    {"text": words | parts},
    optional={
        "id": anything,
        "type": st.sampled_from(["message", "service", "unsupported"]),
        "from": anything,
        "from_id": anything,
        "date": anything,
        "date_unixtime": anything,
        "action": st.sampled_from(["topic_created", "pin_message"]),
        "title": anything,
        "reply_to_message_id": anything,
        "reply_to_peer_id": anything,
        "forwarded_from": anything,
        "media_type": st.sampled_from(["story", "dice"]) | anything,
    },
)
chats: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"messages": st.lists(messages, min_size=1, max_size=8)},
    optional={
        "name": anything | st.just({}),
        "type": st.sampled_from(["private_channel", "bot_chat"]) | anything,
        "id": anything,
    },
)


def text_of(message: dict[str, Any]) -> str:
    text = message["text"]
    return text if isinstance(text, str) else "".join(part if isinstance(part, str) else part["text"] for part in text)


def read_bytes(content: bytes, name: str) -> list[SourceRecord]:
    """Read a file of its own; an error that says what to do is an answer too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with suppress(ManeraError):
            return list(read([path]))
        return []


@given(chat=chats)
@settings(max_examples=300, deadline=None)
def test_no_character_of_a_telegram_export_is_unaccounted_for(chat: dict[str, Any]) -> None:
    chat["messages"].insert(0, {"type": "message", "text": "привет", "from": "Аня", "date": "2024-01-01T10:00:00"})
    records = read_bytes(json.dumps(chat, ensure_ascii=False).encode(), "result.json")
    assert accounted(records) == sum(count_characters(text_of(message)) for message in chat["messages"])
    whole = [record for record in records if isinstance(record, Utterance | Dropped)]
    assert len(whole) == len(chat["messages"])


EXPORT = json.dumps(
    {
        "name": "Двор",
        "type": "private_supergroup",
        "id": 555,
        "messages": [
            {
                "id": number,
                "type": "message",
                "date": "2024-01-01T10:00:00",
                "from": "Ася",
                "from_id": "user101",
                "text": ["один ", {"type": "blockquote", "text": "два"}, "\n три \\x0C"],
            }
            for number in range(5)
        ],
    },
    ensure_ascii=False,
    indent=1,
)
PLAY = "ДЕЙСТВИЕ I\n\n" + "АНЯ: Да.\nБОРЯ (тихо): Нет.\n[Пауза.]\n" * 5
POST = "---\ntitle: Груши\ndate: 2024-01-01\n---\n# Груши\n\nСлово.\n\n```sh\nrm x\n```\n\nЕщё слово.\n"
BOOK = "Груши\n\nГлава 1\n\n" + f"{SENTENCE},\nчем он боялся, и больше, чем он ска-\nжет вечером.[1]\n\n" * 6
SAMPLES = {"result.json": EXPORT, "play.txt": PLAY, "post.md": POST, "Груши.txt": BOOK}


@given(
    name=st.sampled_from(sorted(SAMPLES)),
    encoding=st.sampled_from(["utf-8", "cp1251", "utf-16", "utf-16-le"]),
    data=st.data(),
)
@settings(max_examples=400, deadline=None)
def test_a_mangled_file_is_read_or_refused_and_its_ledger_adds_up(
    name: str, encoding: str, data: st.DataObject
) -> None:
    content = SAMPLES[name].encode(encoding)
    for _ in range(data.draw(st.integers(0, 3))):
        start, end = sorted(data.draw(st.tuples(st.integers(0, len(content)), st.integers(0, len(content)))))
        put = data.draw(st.sampled_from([b"", b"\xff", b"\0", content[start:end] * 2, b'"', b"\n", b"\\x0C", b"{"]))
        content = content[:start] + put + content[end:]
    records = read_bytes(content, name)
    census = Census()
    for record in records:
        census.count(record)
    ledger = census.ledger()
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    assert ledger.characters.read == ledger.characters.kept + sum(ledger.characters.dropped.values())
    if any(isinstance(record, Opened) and record.kind != "Telegram export" for record in records):
        decoded = decode(content)
        assert decoded is not None
        assert accounted(records) == count_characters(decoded.text) == ledger.characters.read
