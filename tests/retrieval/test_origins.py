"""The training messages that a text comes from are found, and soon."""

import random
from time import perf_counter

from manera.records import Example, Message
from manera.retrieval.origins import TrainingIndex, TrainingMessage, persona_messages
from manera.text.words import words
from tiny import TEXT

LINES = TEXT.strip().splitlines()


def index_of(*texts: str) -> TrainingIndex:
    return TrainingIndex(TrainingMessage(text) for text in texts)


def test_copied_words_lead_to_their_message() -> None:
    index = index_of(*LINES)
    origin = index.nearest("Ну и что? Где-то далеко шёл ПОЕЗД, было тихо")[0]
    assert origin.message.text == LINES[6]
    assert origin.longest_run == "где-то далеко шёл поезд было тихо"
    assert 0.5 < origin.overlap < 1


def test_message_itself_is_entirely_alike() -> None:
    index = index_of(*LINES)
    for line in LINES:
        origin = index.nearest(line, 1)[0]
        assert (origin.message.text, origin.overlap) == (line, 1.0)
        assert origin.similarity > 0.999
        assert origin.longest_run == " ".join(words(line))


def test_rare_words_count_more_than_common_ones() -> None:
    index = index_of("и вот опять мы тут", "и он про дачу", "и я не знаю", "и ты тоже")
    assert index.nearest("и дачу")[0].message.text == "и он про дачу"


def test_text_that_shares_nothing_has_no_origin() -> None:
    assert index_of(*LINES).nearest("ксилофон") == []
    assert index_of().nearest("anything") == []
    assert index_of(*LINES).nearest("") == []


def test_only_what_the_persona_wrote_and_was_learned_is_a_origin() -> None:
    example = Example((
        Message("assistant", "context only", weight=0),
        Message("user", "как дела?\nты где"),
        Message("assistant", "дома\nчитаю"),
        Message("assistant", "и сплю"),
    ))  # fmt: skip
    assert list(persona_messages([example])) == [
        TrainingMessage("дома", "ты где"),
        TrainingMessage("читаю", "ты где"),
        TrainingMessage("и сплю", None),
    ]


def test_twenty_thousand_messages_are_searched_in_no_time() -> None:
    chance = random.Random(1)
    known = words(TEXT)
    index = index_of(*(" ".join(chance.choices(known, k=12)) for _ in range(20_000)))
    asked = " ".join(chance.choices(known, k=40))
    start = perf_counter()
    assert len(index.nearest(asked)) == 5
    assert perf_counter() - start < 0.5  # of another's processor; 0.03 s alone
