"""A zip archive from a stranger, unpacked: nothing outside of its folder, and no more than was agreed."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from manera.errors import JobError

_CHUNK = 1 << 20
_ENCRYPTED, _UTF_8 = 0x1, 0x800  # bits of an entry's flags
_SMALLER = "upload the chat or the texts alone, without photos and videos"


def unpack(archive: Path, folder: Path, max_bytes: int, max_files: int) -> None:
    """Unpack an archive into a new folder; raise JobError for one that is broken, hostile or too large.

    What an archive says of its sizes is not believed: bytes are counted as they come.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > max_files:
                raise JobError(f"{archive.name} holds {len(entries):,} files, and {max_files:,} may be", _SMALLER)
            room = max_bytes
            for entry in entries:
                room -= _extract(opened, entry, folder / _place(entry), room)
                if room < 0:
                    raise JobError(f"{archive.name} holds more than {max_bytes / 1e9:.3g} GB", _SMALLER)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise JobError(
            f"{archive.name} is no zip archive that can be read", "pack it again, and upload that"
        ) from error
    except OSError as error:
        raise JobError(f"{archive.name} cannot be unpacked: {error.strerror}", _SMALLER) from error


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
    """Write one file, at most a chunk more than there is room for; return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    size = 0
    with archive.open(entry) as packed, path.open("xb") as out:
        for chunk in _chunks(packed):
            size += len(chunk)
            if size > room:
                break
            out.write(chunk)
    return size


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _place(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return where a file belongs below the folder; raise JobError where that is not below it."""
    name = _name(entry)
    if entry.flag_bits & _ENCRYPTED:
        raise JobError(f"{name} is locked with a password", "pack it again without one")
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
        raise JobError(
            f"the archive would write outside of its folder: {name}", "pack the folder again, and upload that"
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise JobError(f"the archive holds a link: {name}", "pack the files themselves")
    return place


def _name(entry: zipfile.ZipInfo) -> str:
    """Return a file's name; where its encoding is not told, it is UTF-8, or what Windows writes in Russia."""
    if entry.flag_bits & _UTF_8:
        return entry.filename
    raw = entry.orig_filename.encode("cp437")
    for encoding in ("utf-8", "cp866"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename
