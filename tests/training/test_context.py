"""What is recalled in training: as memory recalls it, never from the future, and never what is to be learned."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.corpus.manifest import Speaker
from manera.dataset.building import build
from manera.dataset.encoding import Encoder
from manera.dataset.examples import dialogues
from manera.dataset.formats.format import read_format
from manera.errors import TrainingError
from manera.generation.reply import voice_writer
from manera.memory.past import Past, remember
from manera.memory.talk import Exchange as Remembered
from manera.records import Conversation, Example, Message, SplitName, Turn
from manera.retrieval.own_exchanges import COUNT
from manera.training.context import Recollections, halved, is_copy, put_before, with_context
from manera.training.material import Material
from manera.training.settings import TrainingConfig
from manera.voice.exchanges import Exchange
from tiny import TEXT, tiny_voice

HOUR = 3600
ASKED = "Куда поедем летом на море?"
PLACES = ("В Анапу, там мелко.", "В Сочи, у тёти.", "На Азов, к рыбакам.", "В Ялту, где кипарисы.")


def talk(number: int, started_at: int | None, thread: str = "Боря", asked: str = ASKED) -> Conversation:
    turns = (Turn("2", "Боря", (asked,)), Turn("1", "Аня", (PLACES[number],)))
    return Conversation(thread, "message", turns, started_at)


def example_of(conversation: Conversation, number: int) -> Example:
    ((found,), _) = dialogues(conversation, "1", 500, len)
    return Example(found.messages, number)


def recalled(talks: list[Conversation], number: int) -> set[str]:
    return {reply for _, reply in Recollections(talks, "1").before(example_of(talks[number], number))}


def test_only_what_was_said_before_is_recalled() -> None:
    talks = [talk(number, number * 10 * HOUR) for number in range(4)]
    assert recalled(talks, 0) == set()
    assert recalled(talks, 1) == {PLACES[0]}
    assert recalled(talks, 3) == {*PLACES[:3]}


def test_where_nothing_has_a_time_what_stands_before_is_recalled() -> None:
    talks = [talk(number, None, f"scene {number}") for number in range(3)]
    assert recalled(talks, 2) == {PLACES[0], PLACES[1]}
    assert recalled(talks, 0) == set()


def test_of_another_chat_only_what_was_surely_over_is_recalled() -> None:
    talks = [talk(0, 0, "Вера"), talk(1, 5 * HOUR), talk(2, 10 * HOUR, "Вера"), talk(3, 20 * HOUR)]
    assert recalled(talks, 1) == set()  # the first may go on until the next one with Vera began
    assert recalled(talks, 3) == {PLACES[0], PLACES[1]}
    assert recalled([talk(0, None, "Вера"), talk(1, HOUR)], 1) == set()


def test_neither_the_answer_nor_its_near_copy_is_recalled() -> None:
    talks = [talk(0, 0), talk(1, 10 * HOUR), talk(0, 20 * HOUR)]
    assert recalled(talks, 2) == {PLACES[1]}
    said = Exchange("Что?", "Ну хорошо, в семь часов у метро, не опаздывай", "2", "Боря", "Боря")
    assert is_copy(said, "В семь часов у метро!")
    assert is_copy(said, "Хорошо, в семь часов, не опаздывай.")
    assert is_copy(Exchange("Ты сказала: еду к маме?", "Да", "2", "Боря", "Боря"), "Еду к маме")
    assert not is_copy(said, "В семь я ещё сплю, приходи к маме.")
    assert not is_copy(Exchange("Что?", "Да, конечно", "2", "Боря", "Боря"), "Нет")


def test_an_answer_to_nothing_recalls_nothing() -> None:
    talks = [talk(0, 0), Conversation("Боря", "message", (Turn("1", "Аня", (ASKED,)),), 10 * HOUR)]
    assert recalled(talks, 1) == set()


def test_an_example_is_halved_between_its_turns() -> None:
    messages = [Message(("user", "assistant")[number % 2], str(number)) for number in range(6)]
    halves = halved(Example(tuple(messages), 7))
    assert halves is not None
    assert [half.targets for half in halves] == [("1",), ("3", "5")]
    assert [(m.content, m.is_learned) for m in halves[1].messages[:2]] == [("0", False), ("1", False)]
    assert [half.conversation for half in halves] == [7, 7]
    assert halved(Example(tuple(messages[:2]))) is None


@pytest.fixture
def material(tiny_base: Path) -> Material:
    """A chat in which the same is asked again and again."""
    encoder = Encoder(base_model.load_tokenizer(tiny_base), chat_template("dialogue"))
    rng = np.random.default_rng(1)
    known = TEXT.split()
    talks = []
    for number in range(24):
        turns = [turn for _ in range(4) for turn in (Turn("2", "Боря", (ASKED,)), answer(rng.choice(known, 6)))]
        talks.append(Conversation("Боря", "message", tuple(turns), number * 10 * HOUR))
    parts: dict[SplitName, list[Conversation]] = {"train": talks[:20], "validation": talks[20:22], "test": talks[22:]}
    dataset = build(parts, "1", "dialogue", encoder, 256)
    return Material(
        Speaker("1", "Аня", (), 0, 0, 0, 0),
        "dialogue",
        tiny_base,
        read_format("dialogue"),
        encoder,
        dataset,
        256,
        "ru",
        None,
        {},
        learned_from=tuple(talks[:20]),
    )


def answer(said: Iterable[str]) -> Turn:
    return Turn("1", "Аня", (" ".join(said),))


def texts(material: Material) -> Counter[str]:
    return Counter(text for example in material.dataset.examples["train"] for text in example.targets)


def opened(material: Material, share: float) -> list[Example]:
    """Return the examples that open with something recalled."""
    made = with_context(material, TrainingConfig(context_share=share)).dataset.examples["train"]
    return [example for example in made if len(example.messages) > 2 and not example.messages[1].is_learned]


def test_every_turn_is_still_learned_once_and_everything_fits(material: Material) -> None:
    longest = max(len(material.encoder.example(one).input_ids) for one in material.dataset.examples["train"])
    tight = replace(material, max_length=longest)
    for given in (material, tight):
        found = with_context(given, TrainingConfig(context_share=1))
        assert texts(found) == texts(material)
        sizes = [len(found.encoder.example(one).input_ids) for one in found.dataset.examples["train"]]
        assert max(sizes) <= given.max_length
        assert found.dataset.rows["train"].tokens > material.dataset.rows["train"].tokens
        parts: tuple[SplitName, ...] = ("validation", "test")
        assert all(found.dataset.examples[part] == material.dataset.examples[part] for part in parts)
    assert len(opened(material, 1.0)) == 19  # all but the first, before which nothing was said
    assert len(opened(tight, 1.0)) > 30  # learned in two, to have room


def test_a_share_of_the_examples_is_opened_and_the_same_one_each_time(material: Material) -> None:
    assert with_context(material, TrainingConfig()) is material
    some = opened(material, 0.3)
    assert 1 < len(some) < 15
    assert some == opened(material, 0.3)


def test_it_is_written_as_memory_writes_it(material: Material, tiny_base: Path) -> None:
    writer = voice_writer(tiny_voice(tiny_base, "anna"), material.encoder.tokenizer)
    recollections = Recollections(material.learned_from, "1")
    example = example_of(replace_turns(material.learned_from[9]), 9)
    before = recollections.before(example)
    assert len(before) == COUNT
    recalled = [Remembered(asked, reply, "talk", 0.9) for asked, reply in before]
    served = remember(writer, Past(recalled=recalled), example.messages[:1], 4000, in_group=False).prompt.ids
    learned = material.encoder.example(put_before(example, before, "turns")).input_ids
    assert learned[: len(served)] == served


def replace_turns(conversation: Conversation) -> Conversation:
    """Leave only the first question and its answer."""
    return Conversation(conversation.thread, conversation.kind, conversation.turns[:2], conversation.started_at)


def test_as_a_note_it_stands_in_one_system_message(material: Material) -> None:
    noted = replace(material, format=read_format("instruction-context-output"))
    found = with_context(noted, TrainingConfig(context_share=1)).dataset.examples["train"]
    assert {example.messages[0].role for example in found} == {"system", "user"}


def test_what_recalls_nothing_while_it_writes_is_refused(material: Material) -> None:
    with pytest.raises(TrainingError, match="post examples recalls nothing"):
        with_context(replace(material, kind="post"), TrainingConfig(context_share=0.5))
    with pytest.raises(TrainingError, match="reads 1 turns before a reply"):
        with_context(replace(material, format=read_format("previous-line")), TrainingConfig(context_share=0.5))
