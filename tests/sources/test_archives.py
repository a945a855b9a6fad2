"""Archives are read where they lie, and none of them can hurt."""

import gzip
import io
import random
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manera.corpus.storage import open_corpus, write
from manera.errors import CorpusError, SourceError
from manera.records import Opened, Skipped, Utterance
from manera.sources.archives import LINK, LOCKED, OUTSIDE, TWICE, UNUSUAL, Archive
from manera.sources.finding import REST_OF_ARCHIVE
from manera.sources.reading import read
from manera.sources.settings import SourcesConfig

PROSE = "Утром пошёл снег, и все вышли на крыльцо смотреть.\nНикто ничего не говорил, только собака лаяла.\n"
CHAT = '{"type": "personal_chat", "messages": [{"type": "message", "from": "a", "text": "привет"}]}'
LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
FILES = {
    "Чехов/Снег.txt": PROSE,
    "ChatExport/result.json": CHAT,
    "ChatExport/photos/note.txt": PROSE,
    "__MACOSX/._Снег.txt": "x",
    "Чехов/лист.dat": "a,b",
}


def zipped(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def tarred(path: Path, files: Mapping[str, str]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("a.tar.gz", tarred), ("a.tar", tarred)])
def test_an_archive_is_read_like_the_folder_that_was_packed(
    name: str, pack: Callable[[Path, Mapping[str, str]], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    for file, text in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, "utf-8")
    archive = pack(tmp_path / name, FILES)
    packed, unpacked = write(read([archive]), tmp_path / "c1"), write(read([folder]), tmp_path / "c2")
    assert packed.ledger == unpacked.ledger
    texts = [[(one.speaker, one.text) for one in open_corpus(tmp_path / c).utterances()] for c in ("c1", "c2")]
    assert texts[0] == texts[1]
    assert ("Чехов", PROSE.split("\n")[0]) in texts[0]
    assert {file.source: file.reason for file in packed.skipped} == {
        f"{name}/ChatExport/photos/note.txt": "attachment of a Telegram export",
        f"{name}/__MACOSX/._Снег.txt": "hidden file",
        f"{name}/Чехов/лист.dat": ".dat file",
    }
    assert len({source.sha256 for source in packed.sources}) == 1


def test_archives_of_a_folder_are_opened_too_and_those_inside_of_archives_are_named(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a.txt": PROSE}).read_bytes()
    folder = tmp_path / "library"
    folder.mkdir()
    zipped(folder / "Бунин.zip", {"Снег.txt": PROSE})
    with zipfile.ZipFile(folder / "Бунин.zip", "a") as archive:
        archive.writestr("inner.zip", inner)
    records = list(read([folder]))
    assert {one.speaker for one in records if isinstance(one, Utterance)} == {"Бунин"}
    (skipped,) = [one for one in records if isinstance(one, Skipped)]
    assert (skipped.source, skipped.reason) == ("library/Бунин.zip/inner.zip", "archive in an archive")
    assert [one.path for one in records if isinstance(one, Opened)] == [folder / "Бунин.zip"]


def test_a_single_file_may_be_compressed(tmp_path: Path) -> None:
    (tmp_path / "Снег.txt.gz").write_bytes(gzip.compress(PROSE.encode()))
    (first, _) = [one for one in read([tmp_path / "Снег.txt.gz"]) if isinstance(one, Utterance)]
    assert (first.thread, first.text) == ("Снег", PROSE.split("\n")[0])


def test_names_that_windows_wrote_are_russian(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("SNEG.txt", PROSE)
    content = (tmp_path / "a.zip").read_bytes().replace(b"SNEG", "Снег".encode("cp866"))
    (tmp_path / "a.zip").write_bytes(content)
    assert {one.thread for one in read([tmp_path / "a.zip"]) if isinstance(one, Utterance)} == {"Снег"}


def hostile_zip(path: Path) -> Path:
    """What strangers put into archives, each beside a text that is to be read."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.txt", PROSE)
        for name in ("../../evil.txt", "/etc/evil.txt", "C:\\evil.txt"):
            archive.writestr(name, PROSE)
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("good.txt", PROSE)
        archive.writestr("strange.txt", PROSE, zipfile.ZIP_LZMA)
    return path


def test_what_is_hostile_in_a_zip_is_named_and_not_opened(tmp_path: Path) -> None:
    records = list(read([hostile_zip(tmp_path / "a.zip")]))
    assert [one.source for one in records if isinstance(one, Opened)] == ["a.zip/good.txt"]
    reasons = sorted(one.reason for one in records if isinstance(one, Skipped))
    assert reasons == sorted([OUTSIDE, OUTSIDE, OUTSIDE, LINK, TWICE, UNUSUAL])
    assert not any((place / "evil.txt").exists() for place in (tmp_path, *tmp_path.parents))


def test_a_locked_file_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", {"a.txt": PROSE}).read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + at] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert [one.reason for one in read([tmp_path / "a.zip"]) if isinstance(one, Skipped)] == [LOCKED]


def test_what_is_hostile_in_a_tar_is_named_and_not_opened(tmp_path: Path) -> None:
    tarred(tmp_path / "a.tar", {"good.txt": PROSE, "../evil.txt": PROSE})
    with tarfile.open(tmp_path / "a.tar", "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"{kind!r}.txt")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    records = list(read([tmp_path / "a.tar"]))
    assert [one.source for one in records if isinstance(one, Opened)] == ["a.tar/good.txt"]
    assert sorted(one.reason for one in records if isinstance(one, Skipped)) == sorted([OUTSIDE, *[LINK] * 4])


def test_a_bomb_is_refused_before_it_has_burst(tmp_path: Path) -> None:
    zeros = "0" * (100 << 20)
    zipped(tmp_path / "a.zip", {"a.txt": zeros})
    tarred(tmp_path / "a.tar.gz", {"a.txt": zeros})
    assert (tmp_path / "a.zip").stat().st_size < 1 << 18
    with pytest.raises(CorpusError) as caught:
        write(read([tmp_path / "a.zip"]), tmp_path / "c")
    assert "times its size" in (caught.value.hint or "")
    with pytest.raises(SourceError, match="times its size"):
        list(read([tmp_path / "a.tar.gz"]))


def test_a_bomb_that_says_so_is_not_lit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("result.json", "0" * (100 << 20))
    with Archive(tmp_path / "a.zip") as archive, pytest.raises(SourceError, match="times its size"):
        archive.open("result.json")


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 4 << 30
    (tmp_path / "a.tar").write_bytes(entry.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    with pytest.raises(SourceError):
        list(read([tmp_path / "a.tar"]))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.txt.gz"])
def test_a_broken_archive_is_an_error_by_itself_and_named_in_a_folder(name: str, tmp_path: Path) -> None:
    whole = tmp_path / name
    if name.endswith(".txt.gz"):
        whole.write_bytes(gzip.compress(PROSE.encode()))
    else:
        (zipped if name.endswith("zip") else tarred)(whole, {"a.txt": PROSE * 9})
    folder = tmp_path / "folder"
    folder.mkdir()
    content = whole.read_bytes()
    (folder / name).write_bytes(content[: len(content) * 2 // 3])
    (folder / "b.txt").write_text(PROSE, "utf-8")
    records = list(read([folder]))
    assert any(isinstance(one, Utterance) and one.source.endswith("b.txt") for one in records)
    assert [one.reason for one in records if isinstance(one, Skipped)] == ["broken file"]


def test_nothing_is_left_in_the_folder_for_what_is_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for record in read([tarred(tmp_path / "a.tar.gz", {"a.txt": PROSE})]):
        assert not list((tmp_path / "tmp").iterdir()), record


@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("a.tar.gz", tarred)])
def test_what_is_left_of_an_archive_is_saved_when_asked_for(
    name: str, pack: Callable[[Path, Mapping[str, str]], Path], tmp_path: Path
) -> None:
    texts = {f"{number}.txt": "".join(random.Random(number).sample(LETTERS, 30)) + ". " + PROSE for number in range(9)}
    archive = pack(tmp_path / name, texts)
    content = archive.read_bytes()
    whole = [one.text for one in read([archive]) if isinstance(one, Utterance)]
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="broken or cut short"):
        list(read([archive]))
    records = list(read([archive], settings=SourcesConfig(salvage=True)))
    saved = [one.text for one in records if isinstance(one, Utterance)]
    assert 4 <= len(saved) < len(whole)
    assert saved[:-2] == whole[: len(saved) - 2]
    assert [one.reason for one in records if isinstance(one, Skipped)][:1] == [REST_OF_ARCHIVE]


def test_a_zip_written_as_a_stream_is_saved_too(tmp_path: Path) -> None:
    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    out = Stream()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", PROSE)
    content = out.getvalue()
    (tmp_path / "a.zip").write_bytes(content[: content.index(b"PK\x01\x02")])
    records = read([tmp_path / "a.zip"], settings=SourcesConfig(salvage=True))
    assert len([one for one in records if isinstance(one, Utterance)]) == 6
