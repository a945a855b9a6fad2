"""Plays in TEI: who speaks stands in the markup."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign
from manera.sources.script_layout import fold
from manera.sources.source import document_source
from manera.sources.xml import parse_xml_file, text_of

_TEI = re.compile(r"<(?:\w+:)?TEI(?:\.2)?\b")
_PARTS = re.compile(r"div\d?")
_PROSE = Foreign("TEI document without speeches", "take its text out as a text file")
_LINES = frozenset(["p", "l", "ab", "seg"])
_ASIDE = {"stage": "stage direction", "note": "editor's note", "fw": "page number", "pb": "page number"}
_DROPPED = {"head": "heading", "castList": "cast list", "teiHeader": "description of the play", "front": "title page"}


def claims(file: SourceFile, head: str) -> bool | Foreign:
    """Tell a document by its root, and a play by its speeches."""
    if not _TEI.search(head):
        return False
    return bool(file.decoded and "<sp" in file.decoded.text) or _PROSE


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the speeches, each line of verse a line; a thread is a scene, a speaker's id the name in capitals.

    Cut: stage directions and notes inside of speeches. Dropped by name: what stands outside of them.
    """
    play, mended = parse_xml_file(file, text)
    yield from mended
    reader = _Reader(file, _names(play))
    yield from reader.walk(play, (file.work,))


def _names(play: Element) -> dict[str, str]:
    """Return what people are called by their ids."""
    names = {}
    for person in (*play.iter("person"), *play.iter("castItem"), *play.iter("role")):
        name = person.findtext("persName") or person.findtext("role") or text_of(person)
        if person.get("id") and name.strip():
            names[person.get("id", "")] = " ".join(name.split())
    return names


class _Reader:
    def __init__(self, file: SourceFile, names: dict[str, str]) -> None:
        self._file, self._names = file, names
        self._positions: dict[str, int] = {}

    def walk(self, element: Element, place: tuple[str, ...]) -> Iterator[SourceRecord]:
        for part in element:
            if part.tag == "sp":
                yield from self._speech(part, " / ".join(place))
            elif reason := _DROPPED.get(part.tag) or _ASIDE.get(part.tag):
                yield from self._dropped(reason, text_of(part))
            elif part.tag in _LINES or part.tag == "titlePart":
                yield from self._dropped("text outside of speeches", text_of(part))
            else:
                yield from self.walk(part, (*place, _heading(part)) if _PARTS.fullmatch(part.tag) else place)

    def _speech(self, speech: Element, thread: str) -> Iterator[SourceRecord]:
        lines = [line for line in speech.iter() if line.tag in _LINES]
        words = "\n".join(filter(None, (" ".join(_spoken(line).split()) for line in lines)))
        aside = sum(count_characters(text_of(part)) for part in speech.iter() if part.tag in _ASIDE)
        shown = " ".join((speech.findtext("speaker") or "").split())
        who = (speech.get("who") or "").split()
        name = self._names.get(who[0].lstrip("#"), "") if who else ""
        name = name or shown.strip(" .:") or (who[0].lstrip("#") if who else "")
        if not name or not words:
            yield from self._dropped("speech without a speaker or words", text_of(speech))
            return
        yield Cut("speaker's name", self._file.source, count_characters(shown))
        if aside:
            yield Cut("stage direction", self._file.source, aside)
        position = self._positions[thread] = self._positions.get(thread, 0) + 1
        yield Utterance(fold(name), name, words, thread, position, "line", self._file.source)

    def _dropped(self, reason: str, text: str) -> Iterator[SourceRecord]:
        if characters := count_characters(text):
            yield Dropped(reason, self._file.source, characters)


def _heading(part: Element) -> str:
    head = part.findtext("head")
    return " ".join(head.split()) if head else " ".join(filter(None, (part.get("type"), part.get("n")))) or part.tag


def _spoken(line: Element) -> str:
    """Return a line without what is said aside, and without lines inside of it, which come by themselves."""
    inner = "".join(
        ("" if part.tag in _ASIDE or part.tag in _LINES else _spoken(part)) + (part.tail or "") for part in line
    )
    return (line.text or "") + inner


SOURCE = document_source("TEI play", claims, read, "plays in TEI")
