"""Subtitles that say who speaks: SRT, WebVTT and ASS."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign
from manera.sources.script_layout import fold
from manera.sources.source import document_source

_START = re.compile(r"\s*(?:WEBVTT\b|\[Script Info\]|\d+\s*\n\s*\d\d?:\d\d:\d\d[,.]\d{3} *-->)")
_TIMES = re.compile(r"^\s*(?:\d+:)?\d\d:\d\d[,.]\d{3} *--> ")
_NUMBER = re.compile(r"^\s*\d+\s*$")
_VOICE = re.compile(r"<v(?:\.[\w.]+)?[ \t]+([^>]+)>")
_TAG = re.compile(r"<[^<>]*>|\{[^{}]*\}")
_NAMED = re.compile(
    r"^-?\s*(?:\[(?P<square>[^\W_][^\[\]:]{0,40})\]:?|(?P<colon>[^\W_a-zа-яё][^:\n\[(]{0,40}):)\s+(?P<words>.*)$",
    re.DOTALL,
)
_DASH = re.compile(r"^[-–—]\s*", re.MULTILINE)
_SOUND = re.compile(r"[\[(][^\[\]()]*[\])]|♪[^♪\n]*♪?")
_NAMED_SHARE, _MIN_NAMED = 0.2, 3
_DIALOGUE_FIELDS = 10
_NAMELESS = Foreign("subtitles without names of speakers", "write who speaks as NAME: line in a text file")


class _Cue(NamedTuple):
    """One line on the screen, by whom it says."""

    speaker: str
    text: str


def claims(file: SourceFile, head: str) -> bool | Foreign:
    """Tell subtitles by how they begin; those that name hardly anybody cannot be read."""
    if not _START.match(head):
        return False
    cues = list(_cues(head))
    named = sum(bool(cue.speaker) for cue in cues)
    return named >= max(_MIN_NAMED, _NAMED_SHARE * len(cues)) or _NAMELESS


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield what is said by somebody who is named; the file is one thread.

    A line without a name is dropped: it may go on with the one before, or be another's.
    """
    position = shown = 0
    for cue in _cues(text):
        shown += count_characters(cue.text)
        words = "\n".join(filter(None, map(str.strip, _SOUND.sub(" ", cue.text).split("\n"))))
        if not cue.speaker or not words:
            yield Dropped("line without a speaker" if words else "sound", file.source, count_characters(cue.text))
            continue
        if sounds := count_characters(cue.text) - count_characters(words):
            yield Cut("sound", file.source, sounds)
        position += 1
        yield Utterance(fold(cue.speaker), cue.speaker, words, file.work, position, "line", file.source)
    yield Cut("times and names", file.source, max(0, count_characters(text) - shown))


def _cues(text: str) -> Iterator[_Cue]:
    return _of_ass(text) if text.lstrip().startswith("[Script Info]") else _of_blocks(text)


def _of_ass(text: str) -> Iterator[_Cue]:
    for line in text.split("\n"):
        if line.startswith("Dialogue:"):
            fields = line.partition(":")[2].split(",", _DIALOGUE_FIELDS - 1)
            if len(fields) == _DIALOGUE_FIELDS:
                words = _TAG.sub("", fields[-1]).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
                yield _Cue(fields[4].strip(), words) if fields[4].strip() else _named(words)


def _of_blocks(text: str) -> Iterator[_Cue]:
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        times = next((index for index, line in enumerate(lines) if _TIMES.match(line)), None)
        if times is None:
            continue
        words = "\n".join(lines[times + 1 :])
        voice = _VOICE.search(words)
        words = _TAG.sub("", words)
        yield _Cue(voice[1].strip(), words) if voice else _named(words)


def _named(words: str) -> _Cue:
    found = _NAMED.match(words.strip())
    if not found:
        return _Cue("", words)
    name = (found["square"] or found["colon"]).strip()
    return _Cue(name, _DASH.sub("", found["words"]))


SOURCE = document_source("subtitles", claims, read, "SRT, WebVTT and ASS with names")
