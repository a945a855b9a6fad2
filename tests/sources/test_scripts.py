"""Plays in TEI, subtitles and screenplays: who says what, and what nobody says."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from manera.corpus.storage import write
from manera.errors import SourceError
from manera.records import Cut, Dropped, Utterance, count_characters
from manera.sources.reading import read

TEI = """<?xml version="1.0" encoding="utf-8"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt>
<title>Снег</title></titleStmt></fileDesc><profileDesc><particDesc><listPerson>
<person xml:id="lida"><persName>Лида</persName></person></listPerson></particDesc></profileDesc></teiHeader>
<text><front><castList><castItem>Лида</castItem></castList></front><body><div type="act"><head>Действие первое</head>
<div type="scene"><head>Явление I</head><stage>Утро.</stage>
<sp who="#lida"><speaker>Лида.</speaker><p>Снег <stage>(смотрит)</stage>пошёл!</p></sp>
<sp who="#old"><speaker>Старик</speaker><lg><l>Снег идёт,</l><l>дым плывёт.</l></lg></sp></div>
<div type="scene"><head>Явление II</head><sp who="#lida"><p>Да.</p><note>Так в рукописи.</note></sp>
<sp><p>Кто здесь?</p></sp></div></div></body></text></TEI>"""
SRT = """1
00:00:01,000 --> 00:00:02,500
ЛИДА: Снег пошёл!

2
00:00:03,000 --> 00:00:04,000
<i>[Старик]</i> Вижу.
(кашляет)

3
00:00:05,000 --> 00:00:06,000
[музыка]

4
00:00:07,000 --> 00:00:08,000
ЛИДА: Одевайся,
пойдём.

5
00:00:09,000 --> 00:00:10,000
и поскорее
"""
VTT = """WEBVTT

00:01.000 --> 00:02.500
<v Лида>Снег пошёл!

00:03.000 --> 00:04.000
<v.old Старик>Вижу.</v>

00:07.000 --> 00:08.000
<v Лида>Одевайся,
пойдём.
"""
ASS = """[Script Info]
Title: Снег
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Лида,0,0,0,,{\\i1}Снег пошёл!{\\i0}
Dialogue: 0,0:00:03.00,0:00:04.00,Default,Старик,0,0,0,,Вижу.
Dialogue: 0,0:00:07.00,0:00:08.00,Default,Лида,0,0,0,,Одевайся,\\Nпойдём.
"""
FOUNTAIN = """Title: Снег
Author: Лидия Грушина

ИНТ. КУХНЯ - УТРО

Лида смотрит в окно. [[холодно?]]

ЛИДА
(тихо)
Снег *пошёл*!

СТАРИК (В.П.З.)
Вижу.

EXT. YARD - DAY

@МакЛейн
Одевайся,
пойдём.

CUT TO:
"""
SAID = [("Лида", "Снег пошёл!"), ("Старик", "Вижу."), ("Лида", "Одевайся,\nпойдём.")]


def utterances(path: Path) -> list[Utterance]:
    return [one for one in read([path]) if isinstance(one, Utterance)]


def reasons(path: Path) -> Counter[str]:
    return Counter(one.reason for one in read([path]) if isinstance(one, Dropped | Cut))


def test_tei_tells_speakers_scenes_and_verse(tmp_path: Path) -> None:
    (tmp_path / "Снег.xml").write_text(TEI, "utf-8")
    first, second = "Снег / Действие первое / Явление I", "Снег / Действие первое / Явление II"
    assert [(one.thread, one.speaker_id, one.text) for one in utterances(tmp_path / "Снег.xml")] == [
        (first, "ЛИДА", "Снег пошёл!"),
        (first, "СТАРИК", "Снег идёт,\nдым плывёт."),
        (second, "ЛИДА", "Да."),
    ]
    assert reasons(tmp_path / "Снег.xml") == {
        "description of the play": 1,
        "title page": 1,
        "heading": 3,
        "stage direction": 3,
        "speaker's name": 3,
        "speech without a speaker or words": 1,
    }


@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.vtt", VTT), ("a.ass", ASS)])
def test_subtitles_that_name_speakers_are_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    found = utterances(tmp_path / name)
    assert [(one.speaker.capitalize(), one.text) for one in found] == SAID
    assert all(one.kind == "line" for one in found)


def test_subtitles_without_names_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT.replace("ЛИДА: ", "").replace("[Старик] ", ""), "utf-8")
    with pytest.raises(SourceError, match="subtitles without names") as caught:
        utterances(tmp_path / "a.srt")
    assert "NAME: line" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["a.fountain", "a.txt"])
def test_a_screenplay_in_fountain(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FOUNTAIN, "utf-8")
    found = utterances(tmp_path / name)
    assert [(one.thread, one.speaker, one.text) for one in found] == [
        ("a / ИНТ. КУХНЯ - УТРО", "ЛИДА", "Снег пошёл!"),
        ("a / ИНТ. КУХНЯ - УТРО", "СТАРИК", "Вижу."),
        ("a / EXT. YARD - DAY", "МакЛейн", "Одевайся,\nпойдём."),
    ]
    assert {"title page", "heading", "stage direction", "note"} <= set(reasons(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [("a.srt", SRT, count_characters), ("a.vtt", VTT, count_characters), ("a.ass", ASS, count_characters)],
)
def test_every_character_of_subtitles_is_accounted_for(
    name: str, text: str, whole: Callable[[str], int], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    characters = write(read([tmp_path / name]), tmp_path / "corpus").ledger.characters
    assert characters.read == characters.kept + sum(characters.dropped.values()) == whole(text)
