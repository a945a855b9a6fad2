"""A play or a series: the replies of its characters."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.book_parts import dropped_part, mark_lines
from manera.sources.files import SourceFile
from manera.sources.foreign import is_table
from manera.sources.script_layout import STAGE_LINE, Layout, Reply, fold, heading_depth, layout_of
from manera.sources.source import text_source
from manera.sources.wrapping import join_lines

# Left over from typesetting: "(вбегает).) Звал", "(указывая на ногти),) я б".
_STAGE_ROUND = re.compile(r"\((?:[^()]|\([^()]*\))*\)(?:[.,;:!? ]{0,4}\))?")
_STAGE_SQUARE = re.compile(r"\[[^\[\]]*\]")
_CAST = re.compile(r"^(?:действующие лица|лица|персонажи|dramatis person(?:ae|æ)|characters|cast)\b", re.IGNORECASE)
_CREDIT = re.compile(
    r"^(?:[\w ,&]*\b(?:with minor adjustments"
    r"|written|directed|produced|created|transcribed|adapted|edited|story|teleplay|screenplay|music)"
    r"(?: and \w+)*\s+by|(?:special )?thanks to|note|(?:original )?air ?date|guest stars?|starring|rating"
    r"|автор(?: сценария)?|режисс[её]р|сценарий|перевод|авторы)$",
    re.IGNORECASE,
)
_PLACE = re.compile(r"^(?:scene|setting|cut to|time lapse|broadcast date|сцена|место действия)$", re.IGNORECASE)
_BREAK = re.compile(
    r"^[\[(]?(?:commercial break|(?:opening|closing|end) (?:credits|titles?)|end|the end|конец|fade (?:in|out)|tag"
    r"|to be continued|занавес|curtain)[\])]?[.!:]*$",
    re.IGNORECASE,
)
_ACTION = re.compile(
    r"^_?(?:enter|exit|exeunt|re-?enter|flourish|alarum|curtain|pause|silence"
    r"|входит|входят|уходит|уходят|выходит|выходят|занавес|пауза|молчание|тишина)\b",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t]{2,}")
_TITLE_WORDS = 6
_ACTION_WORDS = 12
_SENTENCE_END = tuple('.!?…,;:»"”')


@dataclass
class _Stage:
    """Where in the play the reading stands.

    lines are those of the reply as they stand in the file, reply what is said in each; cast tells of each line of
    a cast list whether it could be a reply, None outside.
    """

    file: SourceFile
    layout: Layout
    headings: list[str] = field(default_factory=lambda: ["", "", ""])
    scenes: Counter[str] = field(default_factory=Counter)
    thread: str = ""
    position: int = 0
    name: str = ""
    reply: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    line: int = 0
    cast: list[bool] | None = None

    def enter(self, heading: str, depth: int) -> None:
        self.headings[depth:] = [heading, *[""] * (2 - depth)]
        self.begin_scene()

    def begin_scene(self) -> None:
        scene = " / ".join([self.file.work, *filter(None, self.headings)])
        self.scenes[scene] += 1
        self.thread = scene if self.scenes[scene] == 1 else f"{scene} ({self.scenes[scene]})"
        self.position = 0

    def begin_reply(self, name: str, words: str, line: str, number: int) -> None:
        self.name, self.reply, self.lines, self.line = name, [words], [line], number
        self.cast = None

    def ends_cast(self, after_blank: bool) -> bool:
        """Without a heading a cast list ends where the first one speaks, below a blank line and entries unlike it."""
        return bool(after_blank and self.cast and not any(self.cast))


def is_script(file: SourceFile, text: str) -> bool:
    """Tell a script from prose by how many of its lines are replies of people who come back."""
    return not is_table(text) and layout_of(text) is not None


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the replies; a thread is a scene, and a speaker's id is the name in capitals.

    Stage directions, in square or round brackets, are cut from the replies. A line without a name
    continues the reply before it, a line break between them unless lines were broken at a width.
    """
    lines = text.split("\n")
    marked = mark_lines(lines)
    for part in marked.dropped:
        yield dropped_part(part, lines, file.source)
    layout = layout_of("\n".join(lines[index] for index in marked.kept)) or layout_of(text)
    if layout is None:
        raise ValueError("no script: is_script was not asked")
    stage = _Stage(file, layout)
    before = ""
    for index in marked.kept:
        for raw in layout.speeches(lines[index]):
            if raw.strip():
                after_blank = not before.strip()
                opens = after_blank or bool(layout.wrapping and layout.wrapping.opens(raw, before))
                yield from _read_line(raw, index + 1, stage, after_blank, opens)
            before = raw
    yield from _finished(stage)


def _read_line(raw: str, number: int, stage: _Stage, after_blank: bool, opens: bool) -> Iterator[SourceRecord]:
    line = raw.strip()
    depth = heading_depth(line)
    reply = stage.layout.reply(line, opens) if depth is None else None
    reason = _reason(line, reply, depth, stage, after_blank, opens)
    if reason is None and reply is None and stage.lines:
        stage.reply.append(line)
        stage.lines.append(raw)
        return
    yield from _finished(stage)
    if reason is None:
        name, words = reply or (stage.name, line)
        stage.begin_reply(name, words, raw, number)
        return
    if depth is not None:
        stage.cast = None
        stage.enter(line, depth)
    elif _CAST.match(line):
        stage.cast = []
    elif stage.cast is not None:
        stage.cast.append(reply is not None)
    if reason != "stage direction":
        stage.name = ""
    yield Dropped(reason, stage.file.source, count_characters(line), number)


def _reason(
    line: str, reply: Reply | None, depth: int | None, stage: _Stage, after_blank: bool, opens: bool
) -> str | None:
    """Say why a line is not said by anybody; None where it begins a reply or goes on with one."""
    if depth is not None or _CAST.match(line):
        return "heading"
    if stage.cast is not None and not (reply and stage.ends_cast(after_blank)):
        return "cast list"
    if reply:
        if _PLACE.match(reply.name):
            return "stage direction"
        return "credits" if _CREDIT.match(reply.name) else None
    if STAGE_LINE.match(line) or (opens and any(stage.reply) and _is_action(line, stage.layout)):
        return "stage direction"
    if not stage.name:
        if _is_title(line):
            return "heading"
        return "stage direction" if stage.scenes else "text before the first reply"
    return "heading" if (after_blank and _is_title(line)) or _BREAK.match(line) else None


def _finished(stage: _Stage) -> Iterator[SourceRecord]:
    if not stage.lines:
        return
    whole = count_characters("".join(stage.lines))
    spoken = [(line, words) for line, words in zip(stage.lines, stage.reply, strict=True) if words]
    stage.lines, stage.reply = [], []
    said = [words for _, words in spoken]
    wrapping = stage.layout.wrapping
    text = _words(join_lines([line for line, _ in spoken], said, wrapping) if wrapping and said else "\n".join(said))
    source = stage.file.source
    if not text:
        yield Dropped("stage direction", source, whole, stage.line)
        return
    if not stage.thread:
        stage.begin_scene()
    stage.position += 1
    spoken_characters = count_characters("".join(said))
    if names := whole - spoken_characters:
        yield Cut("speaker's name", source, names, stage.line)
    if directions := spoken_characters - count_characters(text):
        yield Cut("stage direction", source, directions, stage.line)
    yield Utterance(fold(stage.name), stage.name, text, stage.thread, stage.position, "line", source)


def _words(reply: str) -> str:
    text = _STAGE_SQUARE.sub(" ", _STAGE_ROUND.sub(" ", reply))
    lines = (_SPACES.sub(" ", line).strip(" \t") for line in text.split("\n"))
    return "\n".join(lines).strip()


def _is_action(line: str, layout: Layout) -> bool:
    """Where no bracket tells, a stage direction begins with a verb of the stage, or says what somebody does."""
    if layout.kind == "colon":
        return False
    if _ACTION.match(line):
        return True
    folded = line.upper()
    is_short = len(line.split()) <= _ACTION_WORDS and line.endswith((".", ")"))
    return is_short and any(name in folded for name in layout.names)


def _is_title(line: str) -> bool:
    return len(line.split()) <= _TITLE_WORDS and not line.endswith(_SENTENCE_END)


SOURCE = text_source("script", is_script, read, "scripts of NAME: line")
