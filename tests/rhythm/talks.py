"""Chats with a rhythm that is known, because it was planted."""

from collections.abc import Iterator
from random import Random

from manera.records import Utterance

START = 1_700_006_400  # midnight, UTC
DAY = 86_400
HOURS = range(9, 12)
BUBBLES = (0.5, 0.3, 0.2)
WAIT_SECONDS = 40.0
SPREAD = 0.5
SECONDS_PER_LETTER = 0.4
NAMES = {"asya": "Ася Тест", "borya": "Боря Тест", "vera": "Вера Тест"}


def say(
    who: str, text: str, position: int, at: int | None, thread: str = "talk", reply_to: int | None = None
) -> Utterance:
    return Utterance(who, NAMES[who], text, thread, position, "message", "made", at, reply_to=reply_to)


def planted_talk(
    days: int, seed: int = 0, wait_seconds: float = WAIT_SECONDS, from_day: int = 0
) -> Iterator[Utterance]:
    """Yield a talk of two: Asya answers by the planted figures, each day in one of three hours."""
    rng = Random(seed)
    position = 10_000 * from_day
    for day in range(from_day, from_day + days):
        at = START + day * DAY + rng.choice(HOURS) * 3600
        for _ in range(4):
            yield say("borya", "Когда ты придёшь?", position := position + 1, at)
            at += round(wait_seconds * rng.lognormvariate(0, SPREAD))
            for bubble in range(rng.choices((1, 2, 3), BUBBLES)[0]):
                text = "а" * rng.randrange(5, 80)
                if bubble:
                    at += round(SECONDS_PER_LETTER * len(text) * rng.lognormvariate(0, 0.1))
                yield say("asya", text, position := position + 1, at)
            at += 30


def planted_group(talks: int, seed: int = 0) -> Iterator[Utterance]:
    """Yield a group: Asya answers those who name her, and questions while she takes part; else she is silent."""
    rng = Random(seed)
    position = 0
    for talk in range(talks):
        at = START + talk * DAY
        left = 0
        for _ in range(12):
            is_named, is_question = rng.random() < 0.1, rng.random() < 0.4
            text = ("Ася, " if is_named else "") + "смотри" + ("?" if is_question else "")
            yield say(rng.choice(("borya", "vera")), text, position := position + 1, at, "group")
            left = 6 if is_named else left - 1
            if is_named or (is_question and left > 0):
                yield say("asya", "иду", position := position + 1, at + 20, "group")
                at += 20
            at += 400  # too late to answer what was said before
