"""What is no manner goes by name, and what is private gets a stand-in, of which the corpus keeps the map."""

import json
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from manera.corpus.adding import add
from manera.corpus.cleaning import STAND_INS, Cleaning
from manera.corpus.conversations import conversations_of
from manera.corpus.forgetting import forget_speaker
from manera.corpus.manifest import Manifest
from manera.corpus.storage import open_corpus, write
from manera.records import Owner, SourceRecord, Utterance

DAY = 24 * 3600
LONG = "завтра в десять утра собрание жильцов во дворе у второго подъезда, не опаздывать и взять паспорт"
RUSSIAN = "я сегодня опять проспал и опоздал на работу, а начальник даже не заметил, представляешь как повезло мне"
GERMAN = "ich habe heute wieder verschlafen und bin zu spät zur Arbeit gekommen, aber niemand hat es gemerkt"


def said(text: str, position: int, speaker: str = "Дима", **fields: object) -> Utterance:
    values: dict[str, object] = {
        "speaker_id": f"id-{speaker}",
        "speaker": speaker,
        "text": text,
        "thread": "чат",
        "position": position,
        "kind": "message",
        "source": "result.json",
        "sent_at": position * 60,
    }
    return Utterance(**(values | fields))  # type: ignore[arg-type]


def post(text: str, position: int) -> Utterance:
    return said(text, position, "Канал", kind="post")


def cleaned(tmp_path: Path, records: Iterable[SourceRecord], **options: bool) -> tuple[list[str], Manifest]:
    folder = tmp_path / "corpus"
    manifest = write(records, folder, cleaning=Cleaning(**options))  # type: ignore[arg-type]
    return [utterance.text for utterance in open_corpus(folder).utterances()], manifest


def test_other_peoples_names_and_numbers_get_stand_ins(tmp_path: Path) -> None:
    texts, manifest = cleaned(
        tmp_path,
        [
            Owner("id-Дима", is_certain=True),
            said("Дима, позвони Ане: 8 912 345-67-89", 1, "Катя Орлова"),
            said("аня уже спит", 2),
        ],
    )
    assert texts[0].startswith("Дима, позвони ")
    assert "Ане" not in texts[0]
    assert "345" not in texts[0]
    assert "аня" not in texts[1]
    assert manifest.ledger.replaced == {"name": 2, "phone": 1}


def test_names_stay_if_asked_and_numbers_do_not(tmp_path: Path) -> None:
    texts, manifest = cleaned(tmp_path, [said("позвони Ане: 8 912 345-67-89", 1)], keep_names=True)
    assert texts[0].startswith("позвони Ане: 8 912 555")
    assert manifest.called == {}


def test_the_map_is_for_its_owner_alone_and_an_addition_goes_by_it(tmp_path: Path) -> None:
    first, later = said("Аня спит", 1), said("Аня проснулась", 2)
    (before,), _ = cleaned(tmp_path, [first])
    path = tmp_path / "corpus" / STAND_INS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "person Анна f" in json.loads(path.read_bytes())
    added = add([first, later], tmp_path / "corpus")
    assert (added.added, added.edited, added.known) == (1, 0, 1)
    told = [utterance.text for utterance in open_corpus(tmp_path / "corpus").utterances()]
    assert told == [before, before.replace("спит", "проснулась")]


def test_a_voice_learns_no_names_of_others(tmp_path: Path) -> None:
    records: list[SourceRecord] = [
        Owner("id-Дима", is_certain=True),
        said("привет всем", 1, "Катя Орлова"),
        said("и тебе", 2),
    ]
    _, manifest = cleaned(tmp_path, records)
    assert {speaker.name for speaker in manifest.speakers} == {"Дима", "Катя Орлова"}
    (conversation,) = conversations_of(open_corpus(tmp_path / "corpus"))
    assert [turn.speaker for turn in conversation.turns] == [manifest.called["id-Катя Орлова"], "Дима"]
    assert "Катя" not in manifest.called["id-Катя Орлова"]


@pytest.mark.parametrize("text", ["там Ольга", "там Илья", "там Петров", "told Hannah"])
@pytest.mark.parametrize("is_speaker", [True, False], ids=["speaks", "is spoken of"])
def test_nobody_gets_the_name_of_somebody_who_is_there(tmp_path: Path, text: str, is_speaker: bool) -> None:
    (before,), _ = cleaned(tmp_path / "before", [said(text, 1)])
    made = before.split()[-1]
    there = said("да", 2, made) if is_speaker else said(f"а {made} где", 2)
    (after, _), _ = cleaned(tmp_path / "after", [said(text, 1), there])
    assert after.split()[-1] not in (made, text.split()[-1])


def test_who_is_forgotten_leaves_the_map_too(tmp_path: Path) -> None:
    records: list[SourceRecord] = [
        Owner("id-Дима", is_certain=True),
        said("привет всем", 1, "Катя Орлова"),
        said("и тебе, Катя", 2),
    ]
    cleaned(tmp_path, records)
    forget_speaker(tmp_path / "corpus", "Катя Орлова")
    assert json.loads((tmp_path / "corpus" / STAND_INS).read_bytes()) == {}


def test_nothing_of_a_book_is_replaced(tmp_path: Path) -> None:
    text = "Анна позвонила по номеру 8 912 345-67-89."
    assert cleaned(tmp_path, [said(text, 1, kind="prose", sent_at=None)])[0] == [text]


def test_a_repeated_footer_is_cut_and_a_closing_line_stays(tmp_path: Path) -> None:
    footer = "Подписаться | Чат\nhttps://t.me/kanal"
    days = ["Понедельник прошёл тихо.", "Во вторник дождь.", "В среду нашли ключи.", "Четверг без новостей."]
    texts, manifest = cleaned(tmp_path, [post(f"{day}\nВсем добра!\n\n{footer}", n) for n, day in enumerate(days)])
    assert texts == [f"{day}\nВсем добра!" for day in days]
    assert set(manifest.ledger.characters.dropped) == {"repeated footer"}
    assert manifest.ledger.kept == len(days)


def test_a_block_of_links_is_cut_and_a_link_stays(tmp_path: Path) -> None:
    texts, manifest = cleaned(
        tmp_path,
        [post("Читал вот это.\nЧасть 1: https://a.ru\nЧасть 2: https://b.ru", 1), post("И это.\nhttps://c.ru", 2)],
    )
    assert texts == ["Читал вот это.", "И это.\nhttps://c.ru"]
    assert set(manifest.ledger.characters.dropped) == {"block of links"}


def test_long_texts_that_come_again_go_and_short_ones_stay(tmp_path: Path) -> None:
    again = LONG.replace("десять", "девять")
    texts, manifest = cleaned(
        tmp_path, [said(text, n) for n, text in enumerate([LONG, "ок", LONG, "ок", again, RUSSIAN, "ок"])]
    )
    assert texts == [LONG, "ок", "ок", RUSSIAN, "ок"]
    assert manifest.ledger.dropped == {"written before": 1, "nearly written before": 1}


def test_commands_and_quotations_go(tmp_path: Path) -> None:
    texts, manifest = cleaned(tmp_path, [said("/start", 1), said("> ты где?\nдома", 2), said("!важно: купи хлеба", 3)])
    assert texts == ["дома", "!важно: купи хлеба"]
    assert manifest.ledger.dropped == {"bot command": 1}
    assert set(manifest.ledger.characters.dropped) == {"bot command", "quotation"}


def test_a_conversation_in_another_language_goes_and_a_foreign_word_stays(tmp_path: Path) -> None:
    own = [said(f"{RUSSIAN}, раз {word}", n) for n, word in enumerate(["первый", "второй третий четвёртый"] * 1)]
    many = [said(" ".join(RUSSIAN.split()[shift:]) * 3, 10 + shift) for shift in range(6)]
    foreign = [said(GERMAN, 2 * DAY), said("ja genau", 2 * DAY + 1), said("danke schön", 9)]
    texts, manifest = cleaned(tmp_path, [*own, *many, foreign[2], *foreign[:2]])
    assert "danke schön" in texts
    assert GERMAN not in texts
    assert manifest.ledger.dropped["in another language (de)"] == 2


def test_all_stays_if_asked(tmp_path: Path) -> None:
    records = [said(text, n) for n, text in enumerate([LONG, LONG, "/start"])]
    assert cleaned(tmp_path, records, manner_only=False)[0] == [LONG, LONG, "/start"]


def test_the_same_input_gives_the_same_corpus(tmp_path: Path) -> None:
    records = [said(f"{name} звонила {n} раз", n) for n, name in enumerate(["Аня", "Катя", "Оля", "Лена", "Аня"])]
    fingerprints = {write(records, tmp_path / place).fingerprint for place in ("a", "b")}
    assert len(fingerprints) == 1
