"""Files read as utterances, each by the first source that claims it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from manera.errors import SourceError
from manera.records import Opened, Skipped, SourceRecord
from manera.sources import (
    assistants,
    discord,
    docx,
    epub,
    fb2,
    feeds,
    foreign,
    fountain,
    mail,
    messenger,
    pages,
    pdf,
    posts,
    prose,
    script,
    signal,
    slack,
    subtitles,
    tables,
    tei,
    telegram,
    telegram_html,
    vk,
    whatsapp,
    x_archive,
)
from manera.sources.files import SourceFile, default_settings
from manera.sources.finding import BROKEN, CLOSED, find
from manera.sources.foreign import Foreign
from manera.sources.source import Source

if TYPE_CHECKING:
    from manera.sources.settings import SourcesConfig

logger = logging.getLogger(__name__)

SOURCES = (
    telegram.SOURCE,
    telegram.FETCHED,
    telegram_html.SOURCE,
    vk.SOURCE,
    signal.MARKDOWN,
    whatsapp.SOURCE,
    discord.SOURCE,
    discord.PACKAGE,
    messenger.SOURCE,
    messenger.ENCRYPTED,
    slack.SOURCE,
    signal.EXPORT,
    signal.LINES,
    x_archive.SOURCE,
    mail.SOURCE,
    assistants.CHATGPT,
    assistants.OPEN_WEBUI,
    fb2.SOURCE,
    epub.SOURCE,
    docx.SOURCE,
    pdf.SOURCE,
    feeds.SOURCE,
    tei.SOURCE,
    pages.SOURCE,
    subtitles.SOURCE,
    tables.PARQUET,
    tables.JSON_LINES,
    tables.JSON_ARRAY,
    tables.CSV,
    posts.SOURCE,
    fountain.SOURCE,
    script.SOURCE,
    prose.SOURCE,
)
"""In the order they are asked whether a file is theirs."""


def read(
    paths: Iterable[Path], sources: Sequence[Source] = SOURCES, settings: "SourcesConfig | None" = None
) -> Iterator[SourceRecord]:
    """Yield Opened and then one record for each message, post, paragraph or line, file by file.

    A file of a folder that is broken, or not somebody's words, is one Skipped; named by itself, it is an error.
    Raises SourceError: a path is missing or named twice, a file cannot be opened, is empty, broken,
    or of a format that is not known.
    """
    settings = settings or default_settings()
    files, skipped = find(paths, settings.salvage)
    yield from skipped
    for archive, inside in groupby(files, key=lambda file: file.archive):
        with archive or nullcontext():
            for file in inside:
                # A copy: the text that it keeps goes with it.
                yield from _read_or_skip(replace(file, settings=settings), sources)


def recognise(file: SourceFile, sources: Sequence[Source] = SOURCES) -> Source | Foreign:
    """Return the source that a file is read by, or what it is where none reads it."""
    for source in sources:
        claimed = source.claims(file)
        if isinstance(claimed, Foreign):
            return claimed
        if claimed:
            return source
    return _unread(file)


def _read_or_skip(file: SourceFile, sources: Sequence[Source]) -> Iterator[SourceRecord]:
    try:
        yield from _read_file(file, sources)
    except SourceError as error:
        if file.root is None:
            raise
        yield Skipped(BROKEN, file.source, error.message)
    except PermissionError as error:
        closed = SourceError(f"{file.path} cannot be opened: {error.strerror}", f"chmod u+r '{file.path}'")
        if file.root is None:
            raise closed from error
        yield Skipped(CLOSED, file.source, closed.hint)


def _read_file(file: SourceFile, sources: Sequence[Source]) -> Iterator[SourceRecord]:
    recognised = recognise(file, sources)
    if isinstance(recognised, Source):
        logger.info("reading a file as %s", recognised.name)
        records = recognised.read(file)
        first = list(islice(records, 1))  # a file that cannot be read at all is not told to be
        yield Opened(recognised.name, file.source, file.archive.path if file.archive else file.path)
        yield from chain(first, records)
        return
    hint = recognised.hint.replace("{path}", str(file.path)) if recognised.hint else None
    if file.root is None:
        raise _refusal(file.path, recognised.name, hint, sources)
    yield Skipped(recognised.name, file.source, hint)


def _refusal(path: Path, kind: str, hint: str | None, sources: Sequence[Source]) -> SourceError:
    if hint:
        return SourceError(f"{path} cannot be read: {kind}", hint)
    known = ", ".join(source.description or source.name for source in sources)
    return SourceError(f"the format of {path} is not known ({kind})", f"known are: {known}")


def _unread(file: SourceFile) -> Foreign:
    """Name what no source claims; a file of a folder that is not named like a text is opened only for help on it."""
    if file.is_about_others:
        return Foreign("readme or licence")
    if file.may_be_text:
        return file.foreign_format or _not_words(file)
    found = file.foreign_format if file.suffix in foreign.SUFFIXES else None
    return found if found and found.hint else Foreign(f"{file.suffix} file")


def _not_words(file: SourceFile) -> Foreign:
    is_table = file.decoded is not None and foreign.is_table(file.decoded.text)
    return foreign.TABLE if is_table else foreign.WORDLESS
