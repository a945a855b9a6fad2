"""A format, or a place, that words are read from."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from manera.errors import SourceError
from manera.records import Mended, SourceRecord
from manera.sources.decoding import BROKEN_BYTES
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign


class Source(NamedTuple):
    """One kind of file, and how it is read.

    name: what a file of this kind is called. claims: tells whether a file is one; a Foreign says that it is, and why
    nothing can be read from it. read: yields utterances, and what was dropped, cut or mended, so that every character
    is accounted for. description: what people are told can be read, the name if None.
    """

    name: str
    claims: Callable[[SourceFile], bool | Foreign]
    read: Callable[[SourceFile], Iterator[SourceRecord]]
    description: str | None = None


def text_source(
    name: str,
    claims: Callable[[SourceFile, str], bool],
    read: Callable[[SourceFile, str], Iterator[SourceRecord]],
    description: str | None = None,
) -> Source:
    """Make a source of plain text: ``claims`` and ``read`` are given a file's text beside it.

    What is known to be in another format is not claimed; broken bytes are told of before the rest.
    """

    def claims_file(file: SourceFile) -> bool:
        if not file.may_be_text or file.foreign_format or file.decoded is None:
            return False
        return claims(file, file.decoded.text)

    return Source(name, claims_file, _reader_of_text(name, read), description)


def document_source(
    name: str,
    claims: Callable[[SourceFile, str], bool | Foreign],
    read: Callable[[SourceFile, str], Iterator[SourceRecord]],
    description: str | None = None,
) -> Source:
    """Make a source of marked-up text, which is told by how it begins: ``claims`` is given that alone."""

    def claims_file(file: SourceFile) -> bool | Foreign:
        return bool(file.may_be_document and file.head_text) and claims(file, file.head_text)

    return Source(name, claims_file, _reader_of_text(name, read), description)


def _reader_of_text(
    name: str, read: Callable[[SourceFile, str], Iterator[SourceRecord]]
) -> Callable[[SourceFile], Iterator[SourceRecord]]:
    def read_file(file: SourceFile) -> Iterator[SourceRecord]:
        if file.decoded is None:
            raise SourceError(f"{file.path} begins like {name}, but is no text", "get it once more")
        if file.decoded.broken:
            yield Mended(BROKEN_BYTES, file.source, file.decoded.broken)
        yield from read(file, file.decoded.text)

    return read_file
