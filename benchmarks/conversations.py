"""How well conversations are told apart: ``python benchmarks/conversations.py``.

300 messages of four invented chats, Russian and English, have their borders marked by hand (``conversations/``). Each
step is added to the one before: a fixed silence, the silence that the waiting times show, answers that go on after it,
topics that change without one. Borders count as found where they stand between the same two messages; Pk is the share
of pairs of messages, half a conversation apart, of which it is told wrongly whether they are of one conversation
(Beeferman, Berger and Lafferty, 1999): 0 is perfect, and 0.5 no better than chance.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import machine
from manera.corpus.conversations import conversations
from manera.corpus.silence import USUAL_SECONDS, counted, silence
from manera.corpus.topic_change import Embed
from manera.records import Utterance
from manera.retrieval.sentences import embed

FOLDER = Path(__file__).parent / "conversations"
DAY = 86_400
_LINE = re.compile(
    r"(?P<day>\d+) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d) (?P<name>[^:]+): (?:\((?P<back>\d+)\) )?(?P<text>.+)"
)


class Chat(NamedTuple):
    """Messages in order, and the places at which a person began a new conversation."""

    messages: list[Utterance]
    borders: set[int]


def read_chats(path: Path) -> Iterator[Chat]:
    """Read the chats of a file."""
    for part in path.read_text("utf-8").split("\n= ")[1:]:
        title, *lines = part.strip().split("\n")
        chat = Chat([], set())
        for line in lines:
            if line == "---":
                chat.borders.add(len(chat.messages))
            else:
                chat.messages.append(_message(line, title, len(chat.messages)))
        yield chat


def _message(line: str, title: str, place: int) -> Utterance:
    found = _LINE.fullmatch(line)
    if found is None:
        raise SystemExit(f"no message: {line}")
    day, hours, minutes, seconds = map(int, found.group("day", "h", "m", "s"))
    at = day * DAY + hours * 3600 + minutes * 60 + seconds
    answered = place - int(found["back"]) if found["back"] else None
    name = found["name"]
    return Utterance(name, name, found["text"], title, place, "message", "chat", at, reply_to=answered)


def borders_of(chat: Chat, silence_seconds: int, answers: bool, embedding: Embed | None) -> set[int]:
    """Return the places at which a conversation begins, but for the first."""
    said = chat.messages if answers else [without_answer(message) for message in chat.messages]
    sizes = [sum(len(turn.texts) for turn in talk.turns) for talk in conversations(said, silence_seconds, embedding)]
    return set(accumulate(sizes[:-1]))


def without_answer(message: Utterance) -> Utterance:
    """Return a message that does not say what it answers."""
    return Utterance(*(getattr(message, name) for name in message.__struct_fields__[:8]))


def pk(messages: int, right: Set[int], found: Set[int]) -> tuple[int, int]:
    """Return how many pairs are told wrongly, and how many there are."""
    wanted, told = (list(accumulate(int(place in borders) for place in range(messages))) for borders in (right, found))
    apart = max(2, round(messages / (len(right) + 1) / 2))
    pairs = [(start, start + apart) for start in range(messages - apart)]
    wrong = sum((wanted[a] == wanted[b]) != (told[a] == told[b]) for a, b in pairs)
    return wrong, len(pairs)


def measured(chats: Sequence[Chat], silence_seconds: int, answers: bool, embedding: Embed | None) -> dict[str, float]:
    """Compare the borders of chats with those that were marked."""
    counts: Counter[str] = Counter()
    for chat in chats:
        found = borders_of(chat, silence_seconds, answers, embedding)
        wrong, pairs = pk(len(chat.messages), chat.borders, found)
        counts.update(
            both=len(found & chat.borders), found=len(found), marked=len(chat.borders), wrong=wrong, pairs=pairs
        )
    precision, recall = counts["both"] / max(1, counts["found"]), counts["both"] / counts["marked"]
    return {
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(2 * precision * recall / max(1e-9, precision + recall), 3),
        "pk": round(counts["wrong"] / counts["pairs"], 3),
    }


def main() -> None:
    files = {path.stem: list(read_chats(path)) for path in sorted(FOLDER.glob("*.txt"))}
    everything = [chat for chats in files.values() for chat in chats]
    waits = counted((said.thread, said.sent_at or 0) for chat in everything for said in chat.messages)
    shown = silence(waits)
    steps: dict[str, tuple[int, bool, Embed | None]] = {
        "three hours": (USUAL_SECONDS, False, None),
        "silence read from the data": (shown, False, None),
        "and answers": (shown, True, None),
        "and topics": (shown, True, embed),
    }
    figures = {
        step: {name: measured(chats, *options) for name, chats in (files | {"all": everything}).items()}
        for step, options in steps.items()
    }
    messages = sum(len(chat.messages) for chat in everything)
    marked = sum(len(chat.borders) for chat in everything)
    print(f"{messages} messages, {marked} borders; the silence read from them: {shown / 60:.0f} minutes")
    print(f"{'':28}{'':4}{'precision':>10}{'recall':>8}{'F1':>7}{'Pk':>7}")
    for step, by_file in figures.items():
        for name, row in by_file.items():
            print(f"{step:28}{name:4}{row['precision']:10.2f}{row['recall']:8.2f}{row['f1']:7.2f}{row['pk']:7.2f}")
    result = {
        "benchmark": "conversations",
        "command": "python benchmarks/conversations.py",
        "messages": messages,
        "borders": marked,
        "silence_seconds": shown,
        "steps": figures,
        **machine.described("msgspec", "numpy"),
    }
    machine.tell(result, "conversations" if "--save" in sys.argv else None)


if __name__ == "__main__":
    main()
