"""One file to read: its place, and its content, which is looked at only when it is asked for."""

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from manera.errors import SourceError
from manera.sources import foreign
from manera.sources.archives import ZIP_MAGIC, Archive
from manera.sources.decoding import Decoded, decode, encoding_of
from manera.sources.foreign import Foreign
from manera.sources.names import MARKDOWN, archive_stem, printable, stem_of, suffix_of
from manera.sources.settings import SourcesConfig

_HEAD_BYTES = 1 << 16
# What is held whole; exports are read piece by piece.
_MAX_HELD_BYTES = 1 << 27
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
# In a folder, a file of another kind is passed over; named by itself, it is looked into.
_TEXT_SUFFIXES = frozenset({".txt", ".text", ".json", "", *MARKDOWN})
_DOCUMENT_SUFFIXES = frozenset(
    [
        *(".ass", ".atom", ".csv", ".docx", ".epub", ".fb2", ".fountain", ".htm", ".html", ".jsonl", ".ndjson"),
        *(".parquet", ".pdf", ".rss", ".spmd", ".srt", ".ssa", ".tsv", ".vtt", ".xhtml", ".xml"),
    ]
)
_ABOUT_FILES = frozenset({"license", "licence", "copying", "notice", "readme", "authors", "contributing", "changelog"})


@dataclass(frozen=True)
class SourceFile:
    """One file to read.

    path: its name; of a file in an archive, below that of the archive, and not to be opened by. source: how records
    refer to it. work: its name as a book, unique in this import. root: the folder or archive named by the person, None
    for a file named directly. archive: that it lies in. settings: how it is to be read.
    Its first bytes and its text are kept once they were asked for: several sources look at the same ones.
    """

    path: Path
    source: str
    work: str
    root: Path | None = None
    archive: Archive | None = None
    settings: SourcesConfig = field(default_factory=SourcesConfig)

    @property
    def collection(self) -> str:
        """The name of the folder or archive that the person named, or of the single file."""
        return self._folder_name(self.root) if self.root else stem_of(self.path)

    @property
    def author(self) -> str:
        """Whose prose it is: the folder just below the named one, the named one, or the file's stem.

        So ``library/Chekhov/Agafya.txt`` is by "Chekhov" whether ``library`` or ``library/Chekhov``
        was named; a first line with a name on it is no certain sign.
        """
        if self.root is None:
            return stem_of(self.path)
        inner = self.path.relative_to(self.root).parts
        return self._folder_name(self.root / inner[0]) if len(inner) > 1 else self.collection

    @property
    def folder(self) -> str:
        """The name of the folder or archive that it lies in."""
        return self._folder_name(self.path.parent)

    def _folder_name(self, folder: Path) -> str:
        is_archive = self.archive is not None and folder == self.archive.path
        return archive_stem(folder) if is_archive else printable(folder.resolve().name)

    @property
    def suffix(self) -> str:
        """``.txt`` of ``Снег.TXT``, "" where there is none."""
        return suffix_of(self.path)

    @property
    def is_about_others(self) -> bool:
        """Whether it is a readme or a licence of the folder that it is in."""
        return self.root is not None and stem_of(self.path).casefold() in _ABOUT_FILES

    @property
    def may_be_document(self) -> bool:
        """Whether a person means it by its name as a document, a table or subtitles."""
        return self.root is None or self.suffix in _DOCUMENT_SUFFIXES or self.may_be_text

    @property
    def may_be_text(self) -> bool:
        """Whether a person means it by its name: any file named directly, of a folder those named like texts."""
        return self.root is None or (self.suffix in _TEXT_SUFFIXES and not self.is_about_others)

    def open(self) -> BinaryIO:
        """Open the content, to be read from its beginning on."""
        if self.archive is None:
            return self.path.open("rb")
        return self.archive.open(self.path.relative_to(self.archive.path).as_posix())

    def open_anywhere(self) -> BinaryIO:
        """Open the content so that it can be read in any order."""
        return io.BytesIO(self.read()) if self.archive else self.open()

    def read(self) -> bytes:
        """Return the whole content; raise SourceError where that is too much to hold."""
        with self.open() as content:
            whole = content.read(_MAX_HELD_BYTES + 1)
        if len(whole) > _MAX_HELD_BYTES:
            raise SourceError(
                f"{self.path} is larger than {_MAX_HELD_BYTES >> 20} MB, which no single text is", "part it into files"
            )
        return whole

    def unpacked(self) -> Archive:
        """Return the content as an archive: books and documents are zips."""
        return Archive(self.path, self.open_anywhere)

    @cached_property
    def parts(self) -> frozenset[str] | None:
        """The names of what is in a zip; None where it is none that can be read."""
        if not self.head.startswith(ZIP_MAGIC):
            return None
        try:
            with self.unpacked() as archive:
                return frozenset(member.name for member in archive.members)
        except SourceError:
            return None

    @cached_property
    def head(self) -> bytes:
        """The first bytes: enough to tell formats apart."""
        with self.open() as content:
            return content.read(_HEAD_BYTES)

    @cached_property
    def head_text(self) -> str:
        """The first bytes as text, "" where the file is binary."""
        decoded = decode(self.head)
        return decoded.text if decoded else ""

    @cached_property
    def decoded(self) -> Decoded | None:
        """The whole file as text, None where it is binary."""
        return decode(self.read()) if encoding_of(self.head) else None

    @cached_property
    def foreign_format(self) -> Foreign | None:
        """The format that its content is in, where words are not read from that as they stand; None for plain text."""
        if len(self.head) < _HEAD_BYTES and not self.head.strip(_BLANK):
            return foreign.EMPTY
        if self.head.startswith(ZIP_MAGIC):
            return foreign.of_zip(self.parts)
        if found := foreign.of_bytes(self.head):
            return found
        if foreign.is_json(self.head):
            return foreign.of_json(self.head)
        if self.decoded is None:
            return foreign.BINARY
        return foreign.of_text(self.path, self.decoded.text) if self.decoded.text.strip() else foreign.EMPTY
