"""The files behind a path: every one is read, or named with a reason."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.errors import SourceError
from manera.records import Opened, Skipped, Utterance
from manera.sources.finding import find
from manera.sources.names import stem_of, suffix_of
from manera.sources.reading import read

PROSE = "Утром пошёл снег, и все вышли на крыльцо смотреть.\nНикто ничего не говорил, только собака лаяла.\n"
CHAT = '{"type": "personal_chat", "messages": [{"type": "message", "from": "a", "text": "b"}]}'


def skipped(*paths: Path) -> dict[str, str]:
    return {record.source: record.reason for record in read(paths) if isinstance(record, Skipped)}


def opened(*paths: Path) -> list[str]:
    return [record.source for record in read(paths) if isinstance(record, Opened)]


def test_what_follows_a_dot_is_a_suffix_only_if_it_looks_like_one(tmp_path: Path) -> None:
    names = ["Том 1. Начало", "снег.TXT", "Ф.М.Достоевский", "a.tar.gz", ".hidden", "1.2"]
    assert [suffix_of(Path(name)) for name in names] == ["", ".txt", "", ".gz", "", ""]
    assert [stem_of(Path(name)) for name in names] == [names[0], "снег", names[2], "a.tar", ".hidden", "1.2"]
    folder = tmp_path / "Автор"
    folder.mkdir()
    (folder / "Том 1. Начало").write_text(PROSE, "utf-8")
    assert {record.thread for record in read([folder]) if isinstance(record, Utterance)} == {"Том 1. Начало"}


def test_a_name_that_is_not_utf8_is_shown_and_the_file_read(tmp_path: Path) -> None:
    name = os.fsdecode("Снег".encode("cp1251") + b".txt")
    try:
        (tmp_path / name).write_text(PROSE, "utf-8")
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    (said, _) = [record for record in read([tmp_path / name]) if isinstance(record, Utterance)]
    assert said.source.endswith(".txt")
    assert "\ufffd" in said.speaker
    said.source.encode("utf-8")


def test_a_link_to_a_file_beside_it_is_named_and_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE, "utf-8")
    (tmp_path / "link.txt").symlink_to("a.txt")
    (tmp_path / "lost.txt").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    root = tmp_path.name
    assert opened(tmp_path) == [f"{root}/a.txt"]
    assert skipped(tmp_path) == {
        f"{root}/link.txt": "link to a file that is read anyway",
        f"{root}/lost.txt": "link to nothing",
        f"{root}/loop": "link to a folder",
    }


def test_links_to_a_file_elsewhere_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text(PROSE, "utf-8")
    (tmp_path / "here").mkdir()
    for name in ("one.txt", "two.txt"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "there" / "a.txt")
    assert opened(tmp_path / "here") == ["here/one.txt"]
    assert skipped(tmp_path / "here") == {"here/two.txt": "link to a file that is read anyway"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_neither_a_file_nor_a_folder_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE, "utf-8")
    os.mkfifo(tmp_path / "pipe")
    assert skipped(tmp_path) == {f"{tmp_path.name}/pipe": "neither a file nor a folder"}


def test_hidden_files_attachments_and_earlier_corpora_are_named(tmp_path: Path) -> None:
    for place in (".git/objects", "files", "corpus", ".corpus.abcd1234.manera.unfinished/new"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "result.json").write_text(CHAT, "utf-8")
    for name in (".git/objects/a.txt", "files/contract.txt", "corpus/corpus.json", "corpus/utterances.jsonl"):
        (tmp_path / name).write_text(PROSE, "utf-8")
    (tmp_path / ".corpus.abcd1234.manera.unfinished/new/utterances.jsonl").touch()
    root = tmp_path.name
    assert opened(tmp_path) == [f"{root}/result.json"]
    assert skipped(tmp_path) == {
        f"{root}/.git/objects/a.txt": "hidden file",
        f"{root}/files/contract.txt": "attachment of a Telegram export",
        f"{root}/corpus/corpus.json": "part of a corpus of manera",
        f"{root}/corpus/utterances.jsonl": "part of a corpus of manera",
    }


def test_one_broken_file_of_a_folder_is_named_and_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(CHAT[:-20], "utf-8")
    (tmp_path / "b.txt").write_text(PROSE, "utf-8")
    (broken,) = [record for record in read([tmp_path]) if isinstance(record, Skipped)]
    assert (broken.source, broken.reason) == (f"{tmp_path.name}/a.json", "broken file")
    assert "not valid JSON at line 1" in (broken.detail or "")
    assert f"{tmp_path.name}/b.txt" in opened(tmp_path)
    with pytest.raises(SourceError, match="not valid JSON at line 1"):
        list(read([tmp_path / "a.json"]))


def test_a_file_is_no_folder_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE, "utf-8")
    (file,), none = find([tmp_path / "a.txt"])
    assert (file.source, file.work, file.author, none) == ("a.txt", "a", "a", [])


DIARY = "\n".join(
    f"{day}.03.2024, 18:05 - Гулял у реки.\nЛёд сошёл, и вода поднялась до самых мостков, а на том берегу жгли траву."
    for day in (12, 13, 14)
)


@pytest.mark.parametrize(
    "text",
    [
        DIARY,
        "12.03.2024 18:05\nДождь.\n13.03.2024 09:10\nОпять дождь, и весь день никого не было видно на дороге.\n",
        PROSE * 20 + "Встреча 18:05\nОбед 13:30\n",
        PROSE + "[12.03.2024, 18:05] Ася: привет\n" + PROSE * 9,
    ],
)
def test_a_diary_is_no_chat(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text, "utf-8")
    assert [record.kind for record in read([tmp_path / "a.txt"]) if isinstance(record, Opened)] == ["prose"]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("tsconfig.json", '{\n  // strict\n  "compilerOptions": {}\n}\n', "other JSON"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nДа.\n", "subtitles"),
        ("play.xml", '<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0"></TEI>', "TEI document"),
        ("a.7z", "7z\xbc\xaf'\x1c", "7z archive"),
    ],
)
def test_more_of_what_is_not_read_says_what_it_is(name: str, content: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1" if name.endswith("7z") else "utf-8"))
    with pytest.raises(SourceError, match=kind) as caught:
        list(read([tmp_path / name]))
    assert caught.value.hint


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder deeper than a path may be long, which only steps lead into and out of."""
    here, depth = Path.cwd(), 1200
    place = tmp_path / "deep"
    place.mkdir()
    (place / "a.txt").write_text(PROSE, "utf-8")
    os.chdir(place)
    for _ in range(depth):
        Path("d" * 9).mkdir()
        os.chdir("d" * 9)
    os.chdir(here)
    yield place
    os.chdir(place)
    for _ in range(depth):
        os.chdir("d" * 9)
    for _ in range(depth):
        os.chdir("..")
        Path("d" * 9).rmdir()
    os.chdir(here)


def test_a_folder_of_any_depth_is_walked(deep_folder: Path) -> None:
    assert opened(deep_folder) == ["deep/a.txt"]
    assert set(skipped(deep_folder).values()) == {"cannot be opened"}


@pytest.mark.parametrize(
    "content",
    [
        "+++\nn=" + "1" * 5000 + "\n+++\nText\n",
        "+++\na=" + "[" * 1500 + "]" * 1500 + "\n+++\nText\n",
        "---\ntitle: x\n---\n# a" + " " * 100_000 + "b\ntext\n",
        "---\ntitle: [x\ndate: x" + " " * 100_000 + "y\n---\nText\n",
        " " * 100_000 + "x" * 1000 + "\n" + PROSE * 9,
    ],
    ids=["number", "nesting", "headline", "broken yaml", "indent"],
)
def test_what_is_made_to_overflow_or_to_take_for_ever_is_read(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(content, "utf-8")
    (tmp_path / "b.txt").write_text(content, "utf-8")
    assert len(opened(tmp_path)) == 2
