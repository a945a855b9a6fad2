"""Messages made by dice, of which some repeat, quote, name people and hold numbers; and posts with a footer."""

import random
from collections.abc import Iterator

from manera.records import Owner, SourceRecord, Utterance

FOOTER = "Подписаться | Чат\nhttps://t.me/kanal"
NAMES = ("Аня", "Боря", "Костя", "Вера", "Света")


def talk(messages: int) -> Iterator[SourceRecord]:
    """Yield so many messages, and a post for every twenty of them: the same on every call."""
    rng = random.Random(7)
    words = ["".join(rng.choices("абвгдеиклмнопрст", k=rng.randrange(2, 9))) for _ in range(400)]
    told_again = [" ".join(rng.choices(words, k=14)) for _ in range(30)]
    yield Owner("id-Аня", is_certain=True)
    for number in range(messages):
        said = rng.choice(told_again).split() if number % 5 == 0 else rng.choices(words, k=rng.randrange(1, 16))
        if number % 10:
            said[rng.randrange(len(said))] = rng.choice(words)
        text = " ".join(said)
        if number % 7 == 0:
            text = f"> {text}\n{text}, {rng.choice(NAMES)}, мой номер +7 912 345-67-{number % 90 + 10}"
        name = rng.choice(NAMES[:3])
        yield Utterance(f"id-{name}", name, text, "чат", number, "message", "chat.json", number * 60)
        if number % 20 == 0:
            text = f"{text}\n\n{FOOTER}"
            yield Utterance("id-канал", "Канал", text, "канал", number, "post", "chat.json", number * 60)
