"""Whatever a file holds, it is read or refused in words: no crash, no hang, no flood."""

import io
import json
import time
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import test_office_documents as documents
import test_scripts as scripts
import test_tables as tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.errors import SourceError
from manera.records import Utterance
from manera.sources.reading import read
from manera.sources.settings import SourcesConfig

CHAT = json.dumps(
    {"name": "Б", "type": "personal_chat", "id": 1, "messages": [{"id": 1, "type": "message", "text": "да"}]}
)
TWEET = {"id_str": "1", "full_text": "да", "created_at": "Thu Feb 01 10:00:00 +0000 2024"}
DISCORD_MESSAGE = {
    "id": "1",
    "type": "Default",
    "timestamp": "2024-02-01T10:00:00+00:00",
    "content": "да",
    "author": {"id": "1", "name": "a", "nickname": "A"},
}
DISCORD = {
    "guild": {"id": "1", "name": "g"},
    "channel": {"id": "2", "type": "GuildTextChat", "name": "c"},
    "messages": [DISCORD_MESSAGE],
}
TELEGRAM_PAGE = """<!DOCTYPE html><html><body><div class="page_wrap"><div class="page_header">
<div class="text bold">Чат</div></div><div class="history"><div class="message default clearfix" id="message1">
<div class="body">
<div class="pull_right date details" title="01.02.2024 10:00:00 UTC+03:00">10:00</div><div class="from_name">Аня</div>
<div class="text">да</div></div></div></div></div></body></html>"""
WHOLE: dict[str, bytes] = {
    "a.fb2": documents.FB2.format(encoding="utf-8").encode(),
    "a.epub": documents.zipped(documents.EPUB),
    "a.docx": documents.zipped(documents.DOCX),
    "a.html": documents.PAGE.format(opening="<article>", closing="</article>").encode(),
    "a.rss": documents.RSS.encode(),
    "a.pdf": documents.a_pdf([["In the morning it began to snow"]]),
    "a.xml": scripts.TEI.encode(),
    "a.srt": scripts.SRT.encode(),
    "a.ass": scripts.ASS.encode(),
    "a.fountain": scripts.FOUNTAIN.encode(),
    "a.csv": tables.CSV.encode(),
    "a.jsonl": json.dumps(tables.MESSAGES).encode(),
    "result.json": CHAT.encode(),
    "_chat.txt": "[12.03.2024, 18:05:00] Аня: привет\n[12.03.2024, 18:06:00] Боря: да\n".encode(),
    "mail.mbox": "From a@b Thu Feb  1 10:00:00 2024\nFrom: A <a@b>\nSubject: x\n\nПривет.\n".encode(),
    "tweets.js": b"window.YTD.tweets.part0 = " + json.dumps([{"tweet": TWEET}]).encode(),
    "discord.json": json.dumps(DISCORD).encode(),
    "messages.html": TELEGRAM_PAGE.encode(),
    "a.md": b"---\ntitle: x\n---\n# A\n\ntext\n\n```\ncode\n```\n",
    "a.zip": documents.zipped({"a.txt": "Утром пошёл снег.", "b/result.json": CHAT}),
}


def outcome(path: Path, salvage: bool = False) -> int:
    """Count the utterances; the only error is one in words."""
    count = 0
    with suppress(SourceError):
        for record in read([path], settings=SourcesConfig(salvage=salvage)):
            if isinstance(record, Utterance):
                record.text.encode()
                record.speaker.encode()
                count += 1
    return count


def mangled(content: bytes, places: list[tuple[int, int, bytes]]) -> bytes:
    """Replace pieces of a file, each by its place in thousandths and its length."""
    for at, length, piece in places:
        start = at * len(content) // 1000
        content = content[:start] + piece + content[start + length :]
    return content


PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"<", b">", b"&", b'"', b"\0", b"\xff\xfe", b"{", b"[", b"<p", b"]]>", b"\n\n", "Ж".encode(), b"PK\3\4"]
    ),
)
PLACES = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 60), PIECES), max_size=5)


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=PLACES, end=st.integers(0, 1000), salvage=st.booleans())
def test_a_mangled_file_is_read_or_refused(
    name: str, places: list[tuple[int, int, bytes]], end: int, salvage: bool, tmp_path: Path
) -> None:
    whole = WHOLE[name]
    (tmp_path / name).write_bytes(mangled(whole, places)[: max(1, end * len(whole) // 1000)])
    outcome(tmp_path / name, salvage)


def test_a_zip_whose_files_have_no_names_is_broken(tmp_path: Path) -> None:
    content = bytearray(documents.zipped({"a": "x"}))
    place = content.index(b"PK\x01\x02")
    content[place + 28 : place + 30] = b"\0\0"
    (tmp_path / "a.zip").write_bytes(content)
    assert outcome(tmp_path / "a.zip") == 0


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    assert outcome(tmp_path / name)


LARGE = 2_000_000
HOSTILE = {
    "brackets.json": b"[" * LARGE,
    "objects.json": b'{"a":' * (LARGE // 5),
    "digits.json": b"[" + b"9" * LARGE,
    "tags.fb2": b"<FictionBook>" + b"<a>" * (LARGE // 3),
    "attributes.fb2": b"<FictionBook " + b"".join(b'a%d="" ' % number for number in range(LARGE // 10)),
    "tags.html": b"<html>" + b"<div>" * (LARGE // 5),
    "open.html": b"<html>" + b"<!--" * (LARGE // 4),
    "one.srt": b"1\n00:00:01,000 --> 00:00:02,000\n" + b"A: " * (LARGE // 3),
    "arrows.srt": b"1\n00:00:01,000 --> " * (LARGE // 20),
    "quote.csv": b'text,speaker\n"' + b"a," * (LARGE // 2),
    "commas.csv": b"text,speaker\n" + b"," * LARGE,
    "cues.fountain": b"INT. A\n\n" + b"A (" * (LARGE // 3),
    "stars.fountain": b"INT. A\n\nA\n" + b"*a " * (LARGE // 3),
    "notes.fountain": b"INT. A\n\nA\n" + b"[[" * (LARGE // 2),
    "links.md": b"- [a](" * (LARGE // 6),
    "line.txt": b"a" * LARGE,
    "marks.txt": b"[1] " * (LARGE // 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_two_megabytes_made_to_hurt_take_seconds_and_little_memory(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name])
    started = time.process_time()
    tracemalloc.start()
    try:
        outcome(tmp_path / name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 60
    assert peak < 150 * LARGE


def test_a_folder_that_leads_into_itself_and_archives_in_archives_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(".")
    packed = documents.zipped({"a.txt": "Утром пошёл снег."})
    for _ in range(50):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("inner.zip", packed)
        packed = outer.getvalue()
    (tmp_path / "deep.zip").write_bytes(packed)
    assert outcome(tmp_path) == 0
