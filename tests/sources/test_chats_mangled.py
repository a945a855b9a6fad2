"""Exports of chats, cut and broken anywhere: each is read or refused, and what was read adds up."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import test_assistants
import test_discord
import test_mail
import test_messenger
import test_signal
import test_slack
import test_telegram_html
import test_vk
import test_whatsapp
import test_x_archive
from hypothesis import given, settings
from hypothesis import strategies as st

from manera.errors import ManeraError
from manera.sources.reading import read
from told import ledger

SAMPLES = {
    "chat.txt": test_whatsapp.ANDROID_RU.encode(),
    "_chat.txt": test_whatsapp.IOS_EN.encode(),
    "discord.json": test_discord.export(test_discord.message(1), test_discord.message(2, "> а\nб")).encode(),
    "message_1.json": test_messenger.chat(test_messenger.message(1), test_messenger.message(2)).encode(),
    "conversations.json": json.dumps([test_assistants.TREE], ensure_ascii=False).encode(),
    "2024-03-12.json": json.dumps(test_slack.DAY, ensure_ascii=False).encode(),
    "tweets.js": test_x_archive.POSTS.encode(),
    "direct-messages.js": test_x_archive.TALKS.encode(),
    "main.jsonl": "\n".join(json.dumps(line, ensure_ascii=False) for line in test_signal.EXPORT).encode(),
    "chat.md": test_signal.MARKDOWN.encode(),
    "all.mbox": test_mail.mailbox(test_mail.letter(1, "да\n> нет\n"), test_mail.letter(2, "", page="<p>да<br>нет</p>")),
    "messages.html": test_telegram_html.page(test_telegram_html.message(1), test_telegram_html.message(2)).encode(),
    "messages0.html": test_vk.page(test_vk.message(2, "да"), test_vk.message(1, "нет")),
}


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_mangled_export_is_read_or_refused(name: str, data: st.DataObject) -> None:
    content = SAMPLES[name]
    for _ in range(data.draw(st.integers(0, 3))):
        start, end = sorted(data.draw(st.tuples(st.integers(0, len(content)), st.integers(0, len(content)))))
        pieces = [
            b"",
            b"\xff",
            b"\0",
            content[start:end] * 2,
            b'"',
            b"\n",
            b"<",
            b"null",
            b"[" * 999,
            b"9" * 30,
            b"\xed\xa0\xbd",
        ]
        content = content[:start] + data.draw(st.sampled_from(pieces)) + content[end:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with suppress(ManeraError):
            ledger(list(read([path])))


@pytest.mark.parametrize("name", SAMPLES)
def test_an_export_that_is_whole_is_read_without_a_character_lost(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(SAMPLES[name])
    assert ledger(list(read([tmp_path / name]))).kept > 0
