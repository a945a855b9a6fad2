"""What the base is told of an author is measured on training text, and quotes nothing of it."""

from collections.abc import Sequence

import pytest

from manera.evaluation.rungs import persona_note
from manera.records import Example, ExampleKind, Message

OTHERS = [[["Здравствуйте, коллеги! Погода сегодня хорошая, не правда ли?"] * 40]]


def talk(*replies: str) -> Example:
    """A conversation in which each reply answers the same question."""
    messages = (one for reply in replies for one in (Message("user", "как дела?"), Message("assistant", reply)))
    return Example(tuple(messages))


@pytest.mark.parametrize(("kind", "bursts"), [("dialogue", True), ("continuation", False)], ids=["chat", "book"])
def test_the_note_tells_rules_and_quotes_nothing(kind: ExampleKind, bursts: bool) -> None:
    training: Sequence[Example] = [talk("ну короче норм\nпошли гулять", "короче да 🐟")] * 20
    note = persona_note("Кира", kind, training, OTHERS)
    assert "Кира" in note
    assert "Начинай со строчной буквы (100%)" in note
    assert "короче" in note
    assert "коллеги" in note.split("избегать")[1]
    assert ("несколько коротких сообщений подряд" in note) == bursts
    assert "ну короче норм" not in note
