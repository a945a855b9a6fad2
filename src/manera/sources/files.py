"""The files behind the paths that a person names."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from manera.errors import SourceError

# What Telegram Desktop calls its export; the photos and voices beside it are not sources of words.
TELEGRAM_RESULT = "result.json"


@dataclass(frozen=True)
class SourceFile:
    """One file to read.

    source: how records refer to it. work: its name as a book, unique in this import.
    root: the folder named by the person, None for a file named directly.
    """

    path: Path
    source: str
    work: str
    root: Path | None = None

    @property
    def collection(self) -> str:
        """The name of the folder that the person named, or of the single file."""
        return self.root.resolve().name if self.root else self.path.stem

    @property
    def author(self) -> str:
        """Whose prose it is: the folder just below the named one, the named one, or the file's stem.

        So ``library/Chekhov/Agafya.txt`` is by "Chekhov" whether ``library`` or ``library/Chekhov``
        was named; a first line with a name on it is no certain sign.
        """
        if self.root is None:
            return self.path.stem
        inner = self.path.relative_to(self.root).parts
        return inner[0] if len(inner) > 1 else self.collection


def find(paths: Iterable[Path]) -> list[SourceFile]:
    """Return the files to read, folders walked in order of name, hidden files left out.

    Raises SourceError for a path that is missing, is named twice, cannot be opened, or is an empty folder.
    """
    found: list[tuple[Path, Path | None]] = []
    for path in paths:
        found += [(file, path) for file in _walk(path)] if path.is_dir() else [(_existing(path), None)]
    _refuse_twice([file for file, _ in found])
    sources = _distinct([_source(file, root) for file, root in found], [file for file, _ in found])
    works = _distinct([_work(file) for file, _ in found], [file for file, _ in found])
    return [
        SourceFile(file, source, work, root) for (file, root), source, work in zip(found, sources, works, strict=True)
    ]


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}", f"look at what is there: ls {path.parent}")
    if not path.is_file():
        raise SourceError(f"{path} is neither a file nor a folder", "name a file or a folder")
    return path


def _walk(folder: Path) -> list[Path]:
    files = list(_inside(folder))
    if not files:
        raise SourceError(f"there are no files in {folder}", "name a folder that holds texts or an export")
    return files


def _inside(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except PermissionError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror}", f"chmod u+rx '{folder}'") from error
    is_export = (folder / TELEGRAM_RESULT).is_file()
    for entry in entries:
        if entry.is_dir():
            # A link to a folder may lead back up.
            if not is_export and not entry.is_symlink():
                yield from _inside(entry)
        elif entry.is_file() and (not is_export or entry.suffix == ".json"):
            yield entry


def _refuse_twice(files: list[Path]) -> None:
    count = Counter(map(os.path.realpath, files))
    if twice := next((file for file in files if count[os.path.realpath(file)] > 1), None):
        raise SourceError(f"{twice} is named twice", "name each file or folder once")


def _source(file: Path, root: Path | None) -> str:
    return file.name if root is None else (Path(root.resolve().name) / file.relative_to(root)).as_posix()


def _work(file: Path) -> str:
    """A blog keeps a post with pictures as ``its-name/index.md``."""
    return file.resolve().parent.name if file.stem == "index" else file.stem


def _distinct(names: list[str], files: list[Path]) -> list[str]:
    """Prefix the folder to names that clash, then number those that still do."""
    count = Counter(names)
    names = [
        f"{file.resolve().parent.name}/{name}" if count[name] > 1 else name
        for name, file in zip(names, files, strict=True)
    ]
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
