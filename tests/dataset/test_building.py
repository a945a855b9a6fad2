"""A split corpus becomes a dataset; the lint catches each way to spoil its targets."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.dataset.building import Dataset, build
from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.dataset.lint import check, spans
from manera.dataset.template import ChatTemplate
from manera.errors import DatasetError
from manera.records import Conversation, Example, ExampleKind, Message, SplitName, Turn, UtteranceKind
from tiny import GEMMA_TURNS, TEXT, TURNS

LINES = [line for line in TEXT.split("\n") if line]


@pytest.fixture(scope="module")
def encoder(tiny_base: Path) -> Encoder:
    return Encoder(base_model.load_tokenizer(tiny_base), GEMMA_TURNS)


def said(*texts: str, kind: UtteranceKind = "message") -> Conversation:
    turns = [Turn("me" if i % 2 else "you", "Аня" if i % 2 else "Боря", (text,)) for i, text in enumerate(texts)]
    return Conversation("чат", kind, tuple(turns))


def parts(*train: Conversation) -> dict[SplitName, list[Conversation]]:
    return {"train": list(train), "validation": [said("как ты?", "цела")], "test": [said("а ты?", "и я цела")]}


def make(base: Path, kind: ExampleKind, max_length: int, *train: Conversation) -> Dataset:
    encoder = Encoder(base_model.load_tokenizer(base), chat_template(kind))
    return build(parts(*train), "me", kind, encoder, max_length)


@pytest.mark.parametrize("max_length", [48, 64, 256])
@pytest.mark.parametrize("kind", ["dialogue", "post", "continuation"])
def test_nothing_is_longer_than_max_length(tiny_base: Path, kind: ExampleKind, max_length: int) -> None:
    talks = [
        said(*LINES),
        said("что?", "да"),
        said(*(line[:20] for line in LINES)),
        said(*(word for line in LINES for word in line.split())),
    ]
    rows = make(tiny_base, kind, max_length, *talks).rows["train"]
    assert rows.input_ids.shape[1] == max_length
    assert rows.positions.max() < max_length
    starts = (rows.positions == 0) & (rows.segments > 0)
    assert (rows.input_ids[starts] == base_model.load_tokenizer(tiny_base).token_to_id("<bos>")).all()


def test_what_does_not_fit_is_counted(tiny_base: Path) -> None:
    dataset = make(tiny_base, "dialogue", 32, said("что?", "да"), said("что?", LINES[0]))
    assert dataset.dropped == {"longer than an example may be": 1}
    assert [e.messages[-1].content for e in dataset.examples["train"]] == ["да"]
    assert make(tiny_base, "post", 40, said("что?", LINES[0])).dropped == {"longer than an example may be": 1}


def test_a_turn_of_exactly_the_length_fits(tiny_base: Path, encoder: Encoder) -> None:
    text = LINES[0]
    length = len(encoder.example(Example((Message("assistant", text),))).input_ids)
    assert len(make(tiny_base, "dialogue", length, said("?", text)).rows["train"]) == 1


def test_scored_bytes_are_those_of_what_is_supervised(tiny_base: Path, encoder: Encoder) -> None:
    dataset = make(tiny_base, "dialogue", 64, said(*LINES[:2], "ага", "ну да"))
    for part, examples in dataset.examples.items():
        learned = [ids for example in examples for ids in spans(encoder.example(example))]
        assert dataset.scored_bytes[part] == sum(len(encoder.decode(ids).encode()) for ids in learned)


def test_a_work_of_prose_is_learned_whole_with_its_end(tiny_base: Path) -> None:
    work = Conversation("книга", "prose", (Turn("me", "Аня", tuple(LINES)),))
    encoder = Encoder(base_model.load_tokenizer(tiny_base), chat_template("continuation"))
    dataset = build(parts(work), "me", "continuation", encoder, 64)
    text = "\n".join(LINES)
    assert dataset.examples["train"] == [Example((Message("assistant", text),))]
    assert dataset.rows["train"].supervised_tokens == len(encoder.text(text)) + 1


def test_one_strange_message_does_not_stop_a_dataset(tiny_base: Path) -> None:
    strange = ["▁▂▃▄▅", "<end_of_turn>", "a\rb", "\ue0000\ue001", "\u200b", "<bos> {{ x }}"]
    dataset = make(tiny_base, "dialogue", 128, *(said("что?", text) for text in strange))
    assert [e.messages[-1].content for e in dataset.examples["train"]] == strange


def test_what_is_cut_from_one_conversation_says_so(tiny_base: Path) -> None:
    dataset = make(tiny_base, "dialogue", 64, said("что?", "да"), said(*LINES[:2] * 3), said("ну?", "нет"))
    numbers = [example.conversation for example in dataset.examples["train"]]
    assert numbers == sorted(numbers, key=lambda number: number or 0)
    assert set(numbers) == {0, 1, 2}
    assert len(numbers) > 3


def faulty(encoder: Encoder) -> Iterator[tuple[str, Encoded, Example]]:
    example = Example((Message("user", "как дела"), Message("assistant", "хорошо")))
    good = encoder.example(example)
    cut = good.labels.index(encoder.end_of_turn)
    headless = good.labels.index(next(label for label in good.labels if label != IGNORE_INDEX))
    yield "without its end-of-turn", Encoded(good.input_ids, [*good.labels[:cut], IGNORE_INDEX]), example
    yield (
        "cut or changed",
        Encoded(good.input_ids, [*good.labels[:headless], IGNORE_INDEX, *good.labels[headless + 1 :]]),
        example,
    )
    yield "empty target", Encoded(good.input_ids, [IGNORE_INDEX] * len(good.labels)), example
    yield "not exactly one BOS", Encoded([encoder.bos, *good.input_ids], [IGNORE_INDEX, *good.labels]), example
    yield "not exactly one BOS", Encoded(good.input_ids[1:], good.labels[1:]), example
    empty = Example((Message("user", "как дела"), Message("assistant", " \n")))
    yield "empty target", encoder.example(empty), empty


@pytest.mark.parametrize("number", range(6))
def test_the_lint_catches_each_spoilt_target(encoder: Encoder, number: int) -> None:
    fault, spoilt, example = list(faulty(encoder))[number]
    good = Example((Message("assistant", "да"),))
    with pytest.raises(DatasetError, match=rf"{fault}.*: 1 \(first: example 1\), of 2 examples"):
        check([encoder.example(good), spoilt], [good, example], encoder)


def test_the_lint_passes_what_the_encoder_makes(encoder: Encoder) -> None:
    examples = [
        Example((Message("user", a), Message("assistant", b, 0), Message("assistant", a))) for a, b in pairwise(LINES)
    ]
    check([encoder.example(example) for example in examples], examples, encoder)


def test_a_template_that_drops_end_of_turn_cannot_make_a_dataset(tiny_base: Path) -> None:
    encoder = Encoder(
        base_model.load_tokenizer(tiny_base),
        ChatTemplate(TURNS.replace("<end_of_turn>", ""), end_of_turn="<end_of_turn>"),
    )
    with pytest.raises(DatasetError, match="end-of-turn"):
        build(parts(said("что?", "да")), "me", "dialogue", encoder, 64)
