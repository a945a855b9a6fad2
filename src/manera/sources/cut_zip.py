"""A zip that was cut short: its list of files, which stands at the end, is lost, but each has a header of its own."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

_HEADER = struct.Struct("<4s5H3I2H")
_SIGNATURE = b"PK\x03\x04"
_DESCRIPTOR_BYTES = 64
_CHUNK = 1 << 16


class CutMember(NamedTuple):
    """A file that begins in a zip; the last one may end too early."""

    entry: zipfile.ZipInfo
    data_at: int


def members(content: BinaryIO, spend: Callable[[int], None]) -> Iterator[CutMember]:
    """Find the files one after the other; spend is told of the bytes that are unpacked to find their ends."""
    at = 0
    while found := _member_at(content, at):
        yield found
        size = _packed_size(open_member(content, found), spend)
        content.seek(found.data_at + size)
        following = content.read(_DESCRIPTOR_BYTES).find(_SIGNATURE)
        if following < 0:
            return
        at = found.data_at + size + following


def open_member(content: BinaryIO, member: CutMember) -> "Unpacked":
    """Open a file to be read up to its end, or to that of the zip."""
    is_stored = member.entry.compress_type == zipfile.ZIP_STORED
    return Unpacked(content, member.data_at, member.entry.compress_size if is_stored else None)


class Unpacked(io.RawIOBase):
    """The bytes of one file; size: how many are stored as they are, None where they are deflated."""

    def __init__(self, content: BinaryIO, at: int, size: int | None) -> None:
        self.packed = 0
        self._content, self._at, self._size = content, at, size
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else 1 << 30
        return self._stored(wanted) if self._size is not None else self._inflated(wanted)

    def _stored(self, wanted: int) -> bytes:
        chunk = self._next(min(wanted, cast(int, self._size) - self.packed))
        self.packed += len(chunk)
        return chunk

    def _inflated(self, wanted: int) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._next(_CHUNK, self.packed)
            if not packed:
                return b""
            if not self._inflate.unconsumed_tail:
                self.packed += len(packed)
            if unpacked := self._inflate.decompress(packed, wanted):
                self._give_back()
                return unpacked
        self._give_back()
        return b""

    def _give_back(self) -> None:
        """What was read beyond the end belongs to the next file."""
        if self._inflate.eof and self._size is None:
            self._size = self.packed = self.packed - len(self._inflate.unused_data)

    def _next(self, size: int, skip: int | None = None) -> bytes:
        self._content.seek(self._at + (self.packed if skip is None else skip))
        return self._content.read(size)


def _packed_size(unpacked: Unpacked, spend: Callable[[int], None]) -> int:
    try:
        while chunk := unpacked.read(_CHUNK):
            spend(len(chunk))
    except zlib.error:
        pass
    return unpacked.packed


def _member_at(content: BinaryIO, at: int) -> CutMember | None:
    content.seek(at)
    raw = content.read(_HEADER.size)
    if len(raw) < _HEADER.size or not raw.startswith(_SIGNATURE):
        return None
    _, _, flags, method, _, _, _, size, _, name_length, extra_length = _HEADER.unpack(raw)
    name = content.read(name_length)
    entry = zipfile.ZipInfo(name.decode("utf-8" if flags & 0x800 else "cp437", "replace") or "unnamed")
    entry.flag_bits, entry.compress_type, entry.compress_size = flags, method, size
    return CutMember(entry, at + _HEADER.size + name_length + extra_length)
