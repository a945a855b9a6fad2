"""What an export is asked, to be compared with the voice: twenty fixed prompts of each kind, and held-out ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from manera.files import read_records
from manera.generation.reply import Writer, prompt_of
from manera.records import Example, Message
from manera.voice.dataset import dataset_file
from manera.voice.manifest import Voice

HELD_OUT = 20
LONGEST = 128
"""Tokens of a prompt and its reply that are compared at most."""

_BEGINNING = 200  # characters of running text that are continued


class Probe(NamedTuple):
    """Messages to be answered, and how somebody really answered where that is known."""

    messages: tuple[Message, ...]
    reply: str = ""


_SAID = (
    "Привет, как дела?",
    "Hello! How are you today?",
    "что делаешь",
    "Ты завтра придёшь? Мы собираемся в семь, у метро.",
    "ахахаха 😂😂 ну ты даёшь",
    "Купи, пожалуйста: хлеб, 2 литра молока и 0,5 кг сыра.",
    "Don't you think it's too late?",
    "…",
    "«Ёлки-палки», — сказал он и ушёл.",
    "первая строка\nвторая строка\n\nчетвёртая",
)
_TOPICS = (
    "весна",
    "чайник, расписание, понедельник",
    "Как мы чинили лифт",
    "сумо в невесомости",
    "утро, кофе, соседи",
    "a rainy day",
    "Итоги года: 2026",
    "почему кошки не любят воду?",
    "😀 праздник",
    "«Вишнёвый сад», антракт",
    "поезд № 5, опоздание на 12 минут",
    "learning to cook",
    "дача; комары; бабушка",
    "первый снег",
    "отпуск",
    "The neighbour's dog",
    "очередь в поликлинике",
    "старые фотографии, чердак, пыль",
    "футбол",
    "новый год",
)
_OPENINGS = (
    "Однажды вечером",
    "Был холодный ноябрьский день, когда",
    "— Не может быть! — воскликнула она",
    "It was a dark night, and",
    "Он вошёл, снял шляпу и",
    "В 1831 году, в конце",
    "«Кто там?» —",
    "Дорога шла лесом",
    "Старик молчал; только",
    "Chapter 1.\nThe",
    "Никто не знал, откуда",
    "Утром принесли письмо.",
    "Между тем",
    "Москва, 12 июля",
    "Лошади тронулись, и",
    "Ветер",
    "She looked at him and",
    "Прошло три года",
    "На столе лежали: перо, нож и",
    "Так кончился этот день.\n\nНа другой",
)


def probes(voice: Voice) -> list[Probe]:
    """Return the fixed prompts of the voice's kind, then some of its own held-out examples where it has them."""
    held_out = dataset_file(voice.name, "test")
    found = list(_of_examples(voice, held_out)) if held_out.is_file() else []
    step = max(1, len(found) // HELD_OUT)
    return [*_fixed(voice), *found[::step][:HELD_OUT]]


def _fixed(voice: Voice) -> Iterator[Probe]:
    if voice.kind != "dialogue":
        texts = _TOPICS if voice.kind == "post" else _OPENINGS
        yield from (Probe((Message("user", text),)) for text in texts)
        return
    yield from (Probe((Message("user", text),)) for text in _SAID)
    for place, text in enumerate(_SAID):
        before, after = _SAID[place - 1], _SAID[place - 2]
        turns = [Message("user", before), Message("assistant", after), Message("user", text)]
        if place % 3 == 0:
            turns.insert(0, Message("system", "Отвечай коротко."))
        if place % 3 == 1:  # a burst of either side
            turns[1:1] = [Message("user", "ау"), Message("assistant", "тут")]
        yield Probe(tuple(turns))


def _of_examples(voice: Voice, path: Path) -> Iterator[Probe]:
    """Turn learned-like examples back into what a client would have sent."""
    before, _, after = (voice.instruction or "{topic}").partition("{topic}")
    for example in read_records(path, Example):
        *earlier, last = example.messages
        if voice.kind == "continuation":
            for start in range(0, len(last.content), 40 * _BEGINNING):
                text = last.content[start : start + 4 * _BEGINNING].strip()
                yield Probe((Message("user", text[:_BEGINNING].rstrip()),), text[len(text[:_BEGINNING].rstrip()) :])
        elif voice.kind == "post":
            topic = earlier[-1].content.removeprefix(before).removesuffix(after)
            yield Probe((Message("user", topic),), last.content)
        elif earlier:
            yield Probe(tuple(Message(m.role, m.content) for m in earlier), last.content)


class Read(NamedTuple):
    """A probe as the voice reads it: the prompt's token ids, and as many of prompt and reply as are compared."""

    prompt: list[int]
    ids: list[int]


def as_read(writer: Writer, probe: Probe, context_length: int) -> Read:
    """Encode a probe as the voice itself does."""
    prompt = prompt_of(writer, probe.messages, context_length).ids
    return Read(prompt, [*prompt, *writer.encoder.text(probe.reply)][:LONGEST])
