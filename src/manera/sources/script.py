"""A play or a dialogue written as ``NAME: line``."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from manera.records import Dropped, SourceRecord, Utterance
from manera.sources.files import SourceFile

# ``1-Й ГОСТЬ: ...``, ``Г-ЖА ПРОСТАКОВА: ...``, ``ДОРН (напевает): ...``
_REPLY = re.compile(
    r"^(?P<name>[^\W_][\w .'’\-–]{0,39}?)(?:[ \t]*\((?P<manner>[^()\n]{1,80})\))?:(?:[ \t]+(?P<words>.*))?$"
)
_STAGE_LINE = re.compile(r"^(?:\[.*\]|\([^()]*\)\.?)$")
# Left over from typesetting: "(вбегает).) Звал", "(указывая на ногти),) я б".
_STAGE_ROUND = re.compile(r"\((?:[^()]|\([^()]*\))*\)(?:[.,;:!? ]{0,4}\))?")
_STAGE_SQUARE = re.compile(r"\[[^\[\]]*\]")
_ROMAN = re.compile(r"^[IVXLC]+\.?$")
# How deep a heading lies: a scene ends with its act.
_HEADINGS = (
    re.compile(r"^(?:действие|акт|часть|act|part|пролог|эпилог|prologue|epilogue)\b", re.IGNORECASE),
    re.compile(r"^(?:картина|сцена|scene)\b", re.IGNORECASE),
    re.compile(r"^(?:явление|выход)\b", re.IGNORECASE),
)
_HEADING_WORDS = 6
_CAST = re.compile(r"^(?:действующие лица|лица|персонажи|dramatis person(?:ae|æ)|characters|cast)\b", re.IGNORECASE)
_NAME_WORDS = 5
_SENTENCE_END = tuple('.!?…,;:»"”')
# A book may hold a few dialogues; in a script most lines are replies, and the same few people speak.
_SCRIPT_SHARE = 0.5
_RETURNING_SPEAKERS = 2


@dataclass
class _Stage:
    """Where in the play the reading stands."""

    file: SourceFile
    headings: list[str] = field(default_factory=lambda: ["", "", ""])
    scenes: Counter[str] = field(default_factory=Counter)
    thread: str = ""
    position: int = 0
    name: str = ""
    reply: list[str] = field(default_factory=list)
    in_cast: bool = False

    def enter(self, heading: str, depth: int) -> None:
        self.headings[depth:] = [heading, *[""] * (2 - depth)]
        self.begin_scene()

    def begin_scene(self) -> None:
        scene = " / ".join([self.file.work, *filter(None, self.headings)])
        self.scenes[scene] += 1
        self.thread = scene if self.scenes[scene] == 1 else f"{scene} ({self.scenes[scene]})"
        self.position = 0


def is_script(text: str) -> bool:
    """Tell a script from prose by the share of its lines that are replies, stage directions or headings."""
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    names: Counter[str] = Counter()
    directions = 0
    for line in lines:
        if reply := _reply(line):
            names[reply["name"].upper()] += 1
        else:
            directions += bool(_STAGE_LINE.match(line)) or _heading_depth(line) is not None
    returning = sum(count > 1 for count in names.values())
    share = (names.total() + directions) / max(1, len(lines))
    return returning >= _RETURNING_SPEAKERS and share >= _SCRIPT_SHARE and names.total() > directions


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the replies; a thread is a scene, and a speaker's id is the name in capitals.

    Stage directions, in square or round brackets, are taken out of the replies.
    A line without a name continues the reply before it, a line break between them.
    """
    stage = _Stage(file)
    after_blank = True
    for line in map(str.strip, text.split("\n")):
        if line:
            yield from _read_line(line, stage, after_blank)
        after_blank = not line
    yield from _finished(stage)


def _read_line(line: str, stage: _Stage, after_blank: bool) -> Iterator[SourceRecord]:
    depth = _heading_depth(line)
    if depth is not None or _CAST.match(line):
        yield from _finished(stage)
        stage.in_cast = depth is None
        if depth is not None:
            stage.enter(line, depth)
        yield Dropped("heading", stage.file.source)
    elif stage.in_cast:
        yield Dropped("cast list", stage.file.source)
    elif _STAGE_LINE.match(line):
        yield from _finished(stage)
        yield Dropped("stage direction", stage.file.source)
    elif reply := _reply(line):
        yield from _finished(stage)
        stage.name = reply["name"]
        stage.reply = [reply["words"] or ""]
    elif stage.reply and not (after_blank and _is_title(line)):
        stage.reply.append(line)
    else:
        yield from _finished(stage)
        yield Dropped("heading", stage.file.source)


def _finished(stage: _Stage) -> Iterator[SourceRecord]:
    if not stage.reply:
        return
    text, stage.reply = _words("\n".join(stage.reply)), []
    if not text:
        yield Dropped("stage direction", stage.file.source)
        return
    if not stage.thread:
        stage.begin_scene()
    stage.position += 1
    yield Utterance(stage.name.upper(), stage.name, text, stage.thread, stage.position, "line", stage.file.source)


def _words(reply: str) -> str:
    text = _STAGE_SQUARE.sub(" ", _STAGE_ROUND.sub(" ", reply))
    text = re.sub(r"[ \t]{2,}", " ", text)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", text).strip()


def _reply(line: str) -> re.Match[str] | None:
    """A name begins with a capital or a digit, and has few words."""
    match = _REPLY.match(line)
    if not match or len(match["name"].split()) > _NAME_WORDS:
        return None
    first = match["name"][0]
    return match if first.isdigit() or first.isupper() else None


def _heading_depth(line: str) -> int | None:
    if _ROMAN.match(line):
        return 2
    if len(line.split()) > _HEADING_WORDS or _reply(line):
        return None
    return next((depth for depth, pattern in enumerate(_HEADINGS) if pattern.match(line)), None)


def _is_title(line: str) -> bool:
    return len(line.split()) <= _HEADING_WORDS and not line.endswith(_SENTENCE_END)
