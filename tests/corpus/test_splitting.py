from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.corpus.conversations import conversations
from manera.corpus.splitting import GAP, REPEATED, WITHOUT_SPEAKER, Split, require_enough, split
from manera.errors import CorpusError
from manera.records import Conversation, SplitName, Turn, Utterance
from manera.sources.reading import read

PARTS: tuple[SplitName, ...] = ("train", "validation", "test")


def talk(*turns: tuple[str, str], thread: str = "чат", at: int | None = None) -> Conversation:
    return Conversation(thread, "message", tuple(Turn(who, who, (text,)) for who, text in turns), at)


def own_texts(part: Iterable[Conversation]) -> list[str]:
    return [text for item in part for turn in item.turns if turn.speaker_id == "я" for text in turn.texts]


def sizes(found: Split) -> list[int]:
    return [len("".join(own_texts(found.conversations[name]))) for name in PARTS]


def test_what_has_times_is_cut_in_time_with_a_gap() -> None:
    talks = [talk(("ты", "?"), ("я", f"ответ {number:03}"), at=number) for number in range(100)]
    found = split([*talks[50:], *talks[:50]], "я")
    train, validation, test = (found.conversations[name] for name in ("train", "validation", "test"))
    assert [item.started_at for item in test] == list(range(90, 100))
    assert [item.started_at for item in validation] == list(range(79, 89))
    assert [item.started_at for item in train] == list(range(78))
    assert found.dropped == {GAP: 2}


def test_untimed_threads_are_dealt_whole_and_always_alike() -> None:
    scenes = [talk(("я", f"реплика номер {number}"), thread=f"сцена {number}") for number in range(100)]
    found = split(scenes, "я")
    assert found == split(scenes, "я")
    threads = [{item.thread for item in found.conversations[name]} for name in ("train", "validation", "test")]
    assert sum(map(len, threads)) == 100
    assert not any(one & other for one, other in combinations(threads, 2))
    total = sum(sizes(found))
    assert all(0.08 < size / total < 0.13 for size in sizes(found)[1:])


def test_one_long_book_is_cut_near_its_end_with_a_gap() -> None:
    book = Conversation("книга", "prose", (Turn("я", "я", tuple(f"абзац {number:03}" for number in range(200))),))
    found = split([book], "я")
    assert own_texts(found.conversations["test"]) == [f"абзац {number:03}" for number in range(180, 200)]
    assert own_texts(found.conversations["validation"]) == [f"абзац {number:03}" for number in range(159, 179)]
    assert own_texts(found.conversations["train"]) == [f"абзац {number:03}" for number in range(158)]
    assert all(len(item.turns) == 1 for part in found.conversations.values() for item in part)
    assert found.dropped == {GAP: 2}


def test_a_book_of_few_paragraphs_is_cut_by_its_length() -> None:
    sentences = [f"Предложение номер {number}, и оно не коротко." for number in range(900)]
    book = Conversation("книга", "prose", (Turn("я", "Я", ("Начало.", " ".join(sentences), "Конец.")),))
    found = split([book], "я")
    train, validation, test = sizes(found)
    total = sum(map(len, own_texts([book])))
    assert 0.75 * total < train < 0.85 * total
    assert 0.08 * total < test < 0.12 * total
    assert 0.08 * total < validation < 0.12 * total
    learned = own_texts(found.conversations["train"])
    assert len(learned) == 2
    assert " ".join(sentences).startswith(learned[1])


def test_one_long_talk_is_cut_before_what_was_said_to_the_speaker() -> None:
    long = talk(*[turn for number in range(50) for turn in (("ты", f"{number}?"), ("я", f"{number}!"))])
    for part in split([long], "я").conversations.values():
        assert [(turn.speaker_id) for turn in part[0].turns[:2]] == ["ты", "я"]
        assert part[0].turns[0].texts[0][:-1] == part[0].turns[1].texts[0][:-1]


def test_one_huge_conversation_among_many_is_cut_rather_than_held_out() -> None:
    talks = [talk(("я", f"коротко {number}"), at=number) for number in range(20)]
    huge = talk(*[turn for number in range(300) for turn in (("ты", "?"), ("я", f"длинно {number}"))], at=99)
    _, validation, test = sizes(split([*talks, huge], "я"))
    total = sum(map(len, own_texts([*talks, huge])))
    assert 0 < test < total * 0.25
    assert 0 < validation < total * 0.25


@pytest.mark.parametrize("count", [3, 4, 9, 10, 11])
@pytest.mark.parametrize("timed", [True, False])
def test_a_small_corpus_has_something_in_every_part(count: int, timed: bool) -> None:
    talks = [
        talk(("ты", "?"), ("я", f"ответ {number}"), thread=f"{number}", at=number if timed else None)
        for number in range(count)
    ]
    assert all(sizes(split(talks, "я")))


def test_two_texts_are_too_few_to_hold_any_out() -> None:
    assert sizes(split([talk(("я", "раз"), ("ты", "?"), ("я", "два"))], "я")) == [6, 0, 0]


def test_conversations_without_the_speaker_are_counted() -> None:
    assert split([talk(("ты", "раз"))], "я").dropped == {WITHOUT_SPEAKER: 1}


def test_a_long_text_is_in_one_part_only() -> None:
    copied = "Одно и то же длинное объявление, которое повторяют каждую неделю."
    talks = [talk(("ты", "?"), ("я", copied), ("ты", "а"), ("я", f"{number:02}"), at=number) for number in range(40)]
    found = split(talks, "я")
    assert copied in own_texts(found.conversations["train"])
    assert copied not in own_texts([*found.conversations["validation"], *found.conversations["test"]])
    held_out = len(found.conversations["validation"]) + len(found.conversations["test"])
    assert found.dropped == {GAP: 2, REPEATED: held_out}
    for item in found.conversations["test"]:
        assert [turn.texts for turn in item.turns[:1]] == [("?", "а")]


texts = st.text("абв ", min_size=1, max_size=60)
turns = st.lists(st.tuples(st.sampled_from(["я", "ты"]), texts), min_size=1, max_size=30)


@given(st.lists(st.tuples(turns, st.sampled_from(["x", "y", "z"]), st.none() | st.integers(0, 99)), max_size=25))
def test_no_text_of_the_speaker_is_lost_doubled_or_shared(
    drawn: list[tuple[list[tuple[str, str]], str, int | None]],
) -> None:
    talks = [talk(*told, thread=thread, at=at) for told, thread, at in drawn]
    found = split(talks, "я")
    everything = own_texts(talks)
    kept = [text for name in PARTS for text in own_texts(found.conversations[name])]
    assert len(kept) + found.dropped.get(REPEATED, 0) <= len(everything)
    assert not set(kept) - set(everything)
    long = [{text for text in own_texts(part) if len(text) >= 40} for part in found.conversations.values()]
    assert not any(one & other for one, other in combinations(long, 2))
    if not found.dropped.get(GAP) and not found.dropped.get(REPEATED):
        assert sorted(kept) == sorted(everything)


def test_too_little_to_learn_from_says_how_much_is_needed() -> None:
    assert require_enough([talk(("я", "а" * 2000))], "я", "Я") == 2000
    with pytest.raises(CorpusError, match='"Я" has 1,999 characters to learn from, and 2,000 are needed'):
        require_enough([talk(("я", "а" * 1999), ("ты", "б" * 99))], "я", "Я")


@pytest.mark.parametrize(
    ("folder", "speaker"),
    [
        ("plays_ru", "ХЛЕСТАКОВ"),
        ("prose_ru/Chekhov", "Chekhov"),
        ("prose_ru/Lermontov", "Lermontov"),
        ("blog_ru", "blog_ru"),
    ],
)
def test_real_words_are_held_out_in_fair_shares(folder: str, speaker: str, shared_data: Path) -> None:
    records = read([shared_data / folder])
    found = split(conversations(record for record in records if isinstance(record, Utterance)), speaker)
    characters = [
        sum(len(text) for item in part for turn in item.turns if turn.speaker_id == speaker for text in turn.texts)
        for part in found.conversations.values()
    ]
    assert all(0.05 < size / sum(characters) < 0.2 for size in characters[1:]), characters
    assert require_enough(found.conversations["train"], speaker, speaker) > 10_000
