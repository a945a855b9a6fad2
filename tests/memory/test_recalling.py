"""What is recalled of older talk, and that it keeps up with other processes."""

import pytest

from manera.memory import recalling, scope
from manera.memory.memory import Asking, Memory
from manera.memory.recalling import Indexes
from manera.memory.settings import MemoryConfig
from manera.memory.store import Store
from manera.memory.talk import Relation, Said, Talk
from manera.retrieval.own_exchanges import OwnExchanges
from manera.retrieval.sentences import embed
from manera.voice.exchanges import Exchange, Relations

ANNA = Talk("", "anna", "u", "c")
GROUP = Talk("", "anna", "u", "g", is_group=True)
DOG = "Мою собаку зовут Рекс, это немецкая овчарка"
ASKED = "Как зовут мою собаку?"


def tell(store: Store, where: Talk, text: str, answer: str = "ясно") -> int:
    asked = store.ask(where, [Said(text)])
    store.answer(asked, where.user, answer)
    return asked.turn


def recalled(indexes: Indexes, where: Talk, text: str = ASKED) -> list[str]:
    return [one.text for one in indexes.recall(scope.recallable(where), text, 3)]


def test_what_is_about_the_same_is_recalled(store: Store) -> None:
    indexes = Indexes(store)
    tell(store, ANNA, DOG)
    tell(store, ANNA, "Завтра обещают дождь")
    assert recalled(indexes, ANNA) == [DOG]
    assert recalled(indexes, ANNA, "Сколько стоит билет в оперу?") == []


def test_index_keeps_up_with_what_others_write_and_delete(store: Store) -> None:
    indexes = Indexes(store)
    assert recalled(indexes, ANNA) == []
    turn = tell(store, ANNA, DOG)
    assert recalled(indexes, ANNA) == [DOG]
    store.forget(scope.own("", "u"), from_turn=turn)
    assert recalled(indexes, ANNA) == []


def test_directions_are_found_once(store: Store) -> None:
    turn = tell(store, ANNA, DOG)
    assert recalled(Indexes(store), ANNA) == [DOG]
    assert all(one.direction for one in store.spoken(scope.recallable(ANNA), 0))
    opera = "Сколько стоит билет в оперу?"
    store.keep_directions({turn: embed([opera])[0].astype(recalling.DIRECTION).tobytes()})
    assert recalled(Indexes(store), ANNA, opera) == [DOG]


def test_indexes_that_are_too_many_are_let_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "MAX_INDEXED", 3)
    indexes = Indexes(store)
    for user in ("u", "v", "w"):
        tell(store, Talk("", "anna", user, "c"), DOG)
        recalled(indexes, Talk("", "anna", user, "c"))
    assert len(indexes._indexes) == 1
    assert recalled(indexes, ANNA) == [DOG]


@pytest.fixture
def memory(place: str) -> Memory:
    return Memory(MemoryConfig(store=place, exchanges=3))


def past(memory: Memory, where: Talk, *texts: str, history: bool = False, asking: Asking | None = None) -> list[str]:
    found = memory.past(where, [Said(text) for text in texts], history, asking or Asking())
    return [turn.text for turn in found.turns] + [f"recalled: {one.text}" for one in found.recalled]


def test_what_is_among_the_last_turns_is_not_recalled_too(memory: Memory) -> None:
    tell(memory.store, ANNA, DOG)
    assert past(memory, ANNA, ASKED) == [DOG, "ясно"]
    assert past(memory, ANNA, ASKED, history=True) == []
    assert past(memory, Talk("", "anna", "u", "new"), ASKED) == [f"recalled: {DOG}"]
    memory.close()


def test_question_that_waits_is_not_read_twice(memory: Memory) -> None:
    tell(memory.store, ANNA, "раз", "два")
    memory.store.ask(ANNA, [Said("ты тут?")])
    assert past(memory, ANNA, "ты тут?", "ау") == ["раз", "два"]
    assert past(memory, ANNA, "ау") == ["раз", "два", "ты тут?"]
    memory.close()


def test_own_exchanges_are_recalled_by_whom_one_talks_to(memory: Memory) -> None:
    own = [
        Exchange("Когда придёшь домой?", "в семь, мам", "1", "Мама", "chat"),
        Exchange("Когда придёшь в бар?", "к девяти, бро", "2", "Вася", "chat"),
    ]
    relations = Relations({"Мама": "parent", "Вася": "friend"}, {"parent": "Это мама."})
    opened = OwnExchanges(own, relations)
    memory.store.relate("", "u", "anna", Relation("parent"))

    def answers(where: Talk, relation: str | None = None) -> tuple[list[str | None], str | None, str | None]:
        found = memory.past(where, [Said("Когда придёшь?")], False, Asking(relation, lambda: opened))
        return [one.answer for one in found.recalled], found.note, found.relation

    assert answers(ANNA) == (["в семь, мам"], "Это мама.", "parent")
    assert answers(ANNA, "friend") == (["к девяти, бро"], None, "friend")
    assert answers(GROUP)[1:] == (None, None)  # who they are to the voice was said in private
    memory.close()
