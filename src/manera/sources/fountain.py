"""Screenplays in Fountain: plain text in which the layout says what is what."""

import re
from collections.abc import Iterator

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.script_layout import fold
from manera.sources.source import text_source

_SUFFIXES = frozenset({".fountain", ".spmd"})
_SCENE = re.compile(r"^(?:\.(?!\.)|(?:INT|EXT|EST|I/E|INT\./EXT|ИНТ|НАТ|ЭКСТ)[. /])", re.IGNORECASE)
_CUE = re.compile(r"^(?:@(?P<forced>.+?)|(?P<name>[^\W\d_a-zа-яё][^a-zа-яё()\n]{0,50}?))(?:\s*\([^()]*\))*\s*\^?$")
# What opens is not looked for beyond the next that opens: else a page of openings takes for ever.
_MARKUP = re.compile(r"(\*{1,3}|_)(?=\S)([^*_\n]+)(?<=\S)\1")
_NOTE = re.compile(r"\[\[(?:(?!\[\[).)*?\]\]|/\*(?:(?!/\*).)*?\*/", re.DOTALL)
_TITLE_KEY = re.compile(r"^[A-ZА-ЯЁ][\w ]{0,30}:")
_MIN_CUES, _MIN_SCENES = 3, 1


def is_screenplay(file: SourceFile, text: str) -> bool:
    """Tell a screenplay by its suffix, or by its scenes and the cues below them."""
    if file.suffix in _SUFFIXES:
        return True
    blocks = _blocks(text)
    scenes = sum(bool(_SCENE.match(lines[0])) for lines in blocks)
    return scenes >= _MIN_SCENES and sum(_cue(lines) is not None for lines in blocks) >= _MIN_CUES


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the speeches; a thread is a scene, a speaker's id the name in capitals.

    Cut: parentheticals. Dropped by name: scene headings, action, transitions, the title page, notes.
    """
    text, notes = _NOTE.sub("", text), sum(count_characters(note) for note in _NOTE.findall(text))
    if notes:
        yield Dropped("note", file.source, notes)
    blocks = _blocks(text)
    if blocks and _TITLE_KEY.match(blocks[0][0]) and not _SCENE.match(blocks[0][0]):
        yield Dropped("title page", file.source, count_characters("".join(blocks.pop(0))))
    thread, position = file.work, 0
    for lines in blocks:
        name = _cue(lines)
        if name is None:
            is_scene = _SCENE.match(lines[0]) is not None
            reason = "heading" if is_scene or lines[0].startswith(("#", "=", ">")) else "stage direction"
            yield Dropped(reason, file.source, count_characters("".join(lines)))
            if is_scene:
                thread, position = f"{file.work} / {lines[0].lstrip('.')}", 0
            continue
        spoken = [line for line in lines[1:] if not (line.startswith("(") and line.endswith(")"))]
        words = _MARKUP.sub(r"\2", "\n".join(line.removeprefix("~") for line in spoken))
        yield Cut("speaker's name", file.source, count_characters(lines[0]))
        if aside := count_characters("".join(lines[1:])) - count_characters(words):
            yield Cut("stage direction", file.source, aside)
        if words.strip():
            position += 1
            yield Utterance(fold(name), name, words, thread, position, "line", file.source)


def _blocks(text: str) -> list[list[str]]:
    """Return the lines between blank ones."""
    blocks = (block.split("\n") for block in re.split(r"\n[ \t]*\n", text))
    stripped = ([line.strip() for line in block if line.strip()] for block in blocks)
    return [lines for lines in stripped if lines]


def _cue(lines: list[str]) -> str | None:
    """Return who speaks in a block: a name in capitals above what is said."""
    if len(lines) < 2 or _SCENE.match(lines[0]) or lines[0].endswith(":") or lines[0].startswith((">", "!", "#", "=")):
        return None
    found = _CUE.match(lines[0])
    return (found["forced"] or found["name"]).strip() if found else None


SOURCE = text_source("screenplay", is_screenplay, read, "Fountain")
