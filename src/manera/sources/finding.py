"""The files behind the paths that a person names: every one is to be read, or is named with a reason."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from manera.errors import SourceError
from manera.files import is_unfinished
from manera.records import Skipped
from manera.sources.archives import ARCHIVE_SUFFIXES, Archive, Member, is_archive, is_document
from manera.sources.files import SourceFile
from manera.sources.names import archive_stem, printable, stem_of, suffix_of

# What Telegram Desktop calls its export, and the folders beside it that hold what people sent each other.
TELEGRAM_RESULT = "result.json"
_ATTACHMENTS = frozenset(
    [
        *("chats", "contacts", "css", "files", "images", "js", "lists", "photos", "profile_music"),
        *("profile_pictures", "round_video_messages", "stickers", "stories", "video_files", "voice_messages"),
    ]
)
_CORPUS = ("corpus.json", "utterances.jsonl")
_MACINTOSH = "__MACOSX"
_MAGIC_BYTES = 512

ATTACHMENT = "attachment of a Telegram export"
HIDDEN = "hidden file"
OWN_CORPUS = "part of a corpus of manera"
LINK_TO_FOLDER = "link to a folder"
LINK_TO_NOTHING = "link to nothing"
LINK_TO_FILE = "link to a file that is read anyway"
SPECIAL = "neither a file nor a folder"
CLOSED = "cannot be opened"
BROKEN = "broken file"


class Found(NamedTuple):
    """A file to read: its path, the folder or archive named by the person, and the archive that it lies in."""

    path: Path
    root: Path | None
    archive: Archive | None = None


def find(paths: Iterable[Path]) -> tuple[list[SourceFile], list[Skipped]]:
    """Return the files to read, folders and archives walked in order of name, and those that need not be opened.

    Raises SourceError for a path that is missing, is named twice, cannot be opened, or is an empty folder.
    """
    found: list[Found] = []
    skipped: list[Skipped] = []
    for path in paths:
        if not path.is_dir():
            found.append(Found(_existing(path), None))
            continue
        for file, reason in _walk(path):
            if reason:
                skipped.append(Skipped(reason, _source(file, path)))
            else:
                found.append(Found(file, path))
    found, links = _without_links(found)
    _refuse_twice([file.path for file in found])
    skipped += [Skipped(LINK_TO_FILE, _source(file.path, file.root)) for file in links]
    found = list(_with_members(found, skipped))
    places = [file.path for file in found]
    sources = _distinct([_source(file.path, file.root) for file in found], places)
    works = _distinct([_work(file) for file in found], places)
    files = [
        SourceFile(file.path, source, work, file.root, file.archive)
        for file, source, work in zip(found, sources, works, strict=True)
    ]
    return files, skipped


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}", f"look at what is there: ls {path.parent}")
    if not path.is_file():
        raise SourceError(f"{path} is neither a file nor a folder", "name a file or a folder")
    return path


def _walk(folder: Path) -> list[tuple[Path, str | None]]:
    try:
        files = list(_inside(folder))
    except PermissionError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror}", f"chmod u+rx '{folder}'") from error
    if not files:
        raise SourceError(f"there are no files in {folder}", "name a folder that holds texts or an export")
    return files


def _inside(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield what a folder holds, each with why it is not opened; a reason for a folder is one for all in it."""
    waiting: list[tuple[Path, str | None]] = [(folder, None)]
    while waiting:
        place, reason = waiting.pop()
        try:
            is_folder = place == folder or (place.is_dir() and not place.is_symlink())
            names = sorted(entry.name for entry in place.iterdir()) if is_folder else []
            closed = None if is_folder else _unreadable(place)
        except OSError:
            if place == folder:
                raise
            yield place, reason or CLOSED
            continue
        if not is_folder:
            yield place, reason or closed
            continue
        if set(_CORPUS) <= set(names):
            reason = OWN_CORPUS
        is_export = TELEGRAM_RESULT in names
        for name in reversed(names):
            if not is_unfinished(name):
                attached = ATTACHMENT if is_export and name in _ATTACHMENTS else None
                own = HIDDEN if name.startswith(".") else attached
                waiting.append((place / name, reason or own))


def _unreadable(entry: Path) -> str | None:
    if entry.is_dir():
        return LINK_TO_FOLDER  # which may lead back up
    if entry.is_file():
        return None
    return LINK_TO_NOTHING if entry.is_symlink() else SPECIAL


def _without_links(found: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Set links aside that were met in a folder and lead to a file which is read anyway."""
    read = {os.path.realpath(file.path) for file in found if file.root is None or not file.path.is_symlink()}
    kept: list[Found] = []
    links: list[Found] = []
    for file in found:
        if file.root is not None and file.path.is_symlink():
            target = os.path.realpath(file.path)
            if target in read:
                links.append(file)
                continue
            read.add(target)
        kept.append(file)
    return kept, links


def _with_members(found: Iterable[Found], skipped: list[Skipped]) -> Iterator[Found]:
    """Yield what is in each archive in its place; what need not be opened of it is added to skipped."""
    for file in found:
        if not _may_be_archive(file):
            yield file
            continue
        archive = Archive(file.path)
        try:
            with archive:
                members = archive.members
        except SourceError as error:
            if file.root is None:
                raise
            skipped.append(Skipped(BROKEN, _source(file.path, file.root), error.message))
            continue
        if is_document([member.name for member in members]):
            yield file
            continue
        if not members and file.root is None:
            raise SourceError(f"there are no files in {file.path}", "pack an export or texts, and name that")
        root = file.root or file.path
        for name, reason in _reasons(members):
            if reason:
                skipped.append(Skipped(reason, _source(file.path / name, root)))
            else:
                yield Found(file.path / name, root, archive)


def _may_be_archive(file: Found) -> bool:
    """In a folder only those are looked into that are called so."""
    if file.root is not None and suffix_of(file.path) not in ARCHIVE_SUFFIXES:
        return False
    try:
        with file.path.open("rb") as content:
            return is_archive(content.read(_MAGIC_BYTES))
    except OSError:
        return False


def _reasons(members: Sequence[Member]) -> Iterator[tuple[str, str | None]]:
    """Yield the files of an archive with why they are not opened, as folders have it."""
    names = {PurePosixPath(member.name) for member in members}
    exports = {name.parent for name in names if name.name == TELEGRAM_RESULT}
    corpora = {name.parent for name in names if all(name.parent / part in names for part in _CORPUS)}
    for member in members:
        yield member.name, member.fault or _reason_inside(PurePosixPath(member.name), exports, corpora)


def _reason_inside(name: PurePosixPath, exports: set[PurePosixPath], corpora: set[PurePosixPath]) -> str | None:
    if name.parts[0] == _MACINTOSH or any(part.startswith(".") for part in name.parts):
        return HIDDEN
    if not corpora.isdisjoint(name.parents):
        return OWN_CORPUS
    folders = (name, *name.parents)
    return ATTACHMENT if any(place.name in _ATTACHMENTS and place.parent in exports for place in folders) else None


def _refuse_twice(files: list[Path]) -> None:
    count = Counter(map(os.path.realpath, files))
    if twice := next((file for file in files if count[os.path.realpath(file)] > 1), None):
        raise SourceError(f"{twice} is named twice", "name each file or folder once")


def _source(file: Path, root: Path | None) -> str:
    return printable(file.name if root is None else (Path(root.resolve().name) / file.relative_to(root)).as_posix())


def _work(file: Found) -> str:
    """A blog keeps a post with pictures as ``its-name/index.md``."""
    stem = stem_of(file.path)
    if stem != "index":
        return stem
    parent = file.path.resolve().parent
    return archive_stem(parent) if file.archive and parent == file.archive.path.resolve() else printable(parent.name)


def _distinct(names: list[str], files: list[Path]) -> list[str]:
    """Prefix the folder to names that clash, then number those that still do."""
    count = Counter(names)
    names = [
        f"{printable(file.resolve().parent.name)}/{name}" if count[name] > 1 else name
        for name, file in zip(names, files, strict=True)
    ]
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
