"""What is kept of talk, on SQLite and on PostgreSQL alike."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manera.memory import scope
from manera.memory.store import Store
from manera.memory.talk import Relation, Said, Talk, said_again

ANNA = Talk("", "anna", "u", "c")


def talk(store: Store, where: Talk, *texts: str) -> tuple[int, ...]:
    """Keep a question and its answer for each pair of texts; return the numbers of the answers."""
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return tuple(store.answer(store.ask(where, [Said(said)]), where.user, answer) or 0 for said, answer in pairs)


def texts(store: Store, where: Talk) -> list[str]:
    return [turn.text for turn in store.last_turns(where, 100)]


def test_turns_come_back_in_order(store: Store) -> None:
    asked = store.ask(ANNA, [Said("привет", "Оля"), Said("как дела?")])
    answered = store.answer(asked, "u", "норм")
    listed = store.turns(scope.own("", "u"), 10)
    assert [(turn.role, turn.text, turn.name) for turn in listed] == [
        ("user", "привет", "Оля"),
        ("user", "как дела?", None),
        ("assistant", "норм", None),
    ]
    assert [turn.id for turn in listed] == [asked.turn, asked.turn + 1, answered]
    assert [turn.text for turn in store.turns(scope.own("", "u"), 1, before=answered)] == ["как дела?"]
    (listed_as,) = store.conversations("", "u")
    assert (listed_as.title, listed_as.turns, listed_as.group) == ("привет", 3, False)


def test_question_whose_reply_broke_off_is_kept_once(store: Store) -> None:
    first = store.ask(ANNA, [Said("привет")])
    again = store.ask(ANNA, [Said("привет"), Said("ты тут?")])
    assert (again.turn, texts(store, ANNA)) == (first.turn, ["привет", "ты тут?"])
    store.answer(again, "u", "тут")
    store.ask(ANNA, [Said("привет")])
    assert texts(store, ANNA) == ["привет", "ты тут?", "тут", "привет"]


@pytest.mark.parametrize(
    ("unanswered", "asked", "again"),
    [("ab", "ab", 2), ("xab", "abc", 2), ("ab", "bc", 1), ("ab", "c", 0), ("", "a", 0)],
)
def test_what_is_said_again_is_the_end_of_what_waits(unanswered: str, asked: str, again: int) -> None:
    assert said_again([("u", text) for text in unanswered], [("u", text) for text in asked]) == again


def test_one_of_a_group_does_not_repeat_another(store: Store) -> None:
    for user in ("u", "v"):
        store.ask(Talk("", "anna", user, "g", is_group=True), [Said("привет")])
    assert texts(store, Talk("", "anna", "w", "g", is_group=True)) == ["привет", "привет"]


def test_what_databases_do_not_take_is_replaced(store: Store) -> None:
    store.ask(ANNA, [Said("a\0b \ud83d")])
    assert texts(store, ANNA) == ["a\ufffdb ?"]


def test_reply_to_what_was_forgotten_meanwhile_is_not_kept(store: Store) -> None:
    asked = store.ask(ANNA, [Said("забудь")])
    assert store.forget(scope.own("", "u")) == 1
    assert store.answer(asked, "u", "что?") is None
    assert store.conversations("", "u") == []


def test_forgetting_ends_where_it_was_told_to(store: Store) -> None:
    first, _ = talk(store, ANNA, "раз", "два", "три", "четыре")
    talk(store, Talk("", "anna", "u", "other"), "пять", "шесть")
    talk(store, Talk("", "anna", "v", "c"), "чужое", "да")
    assert store.forget(scope.own("", "u", "anna", "c"), from_turn=first) == 3
    assert texts(store, ANNA) == ["раз"]
    assert store.forget(scope.own("", "v"), from_turn=first) == 0
    assert store.forget(scope.own("", "u", "boris")) == 0
    assert store.forget(scope.own("", "u")) == 3
    assert texts(store, Talk("", "anna", "v", "c")) == ["чужое", "да"]


def test_answer_is_recalled_with_what_it_answered(store: Store) -> None:
    answer, _ = talk(store, ANNA, "где ключи?", "в ящике", "спасибо", "не за что")
    recalled = scope.recallable(ANNA)
    (found,) = store.exchanges(recalled, {answer: 0.9, answer - 1: 0.7})
    assert (found.text, found.answer, found.similarity) == ("где ключи?", "в ящике", 0.9)


def test_everything_is_taken_along(store: Store) -> None:
    talk(store, ANNA, "раз", "два")
    talk(store, Talk("", "boris", "u", "g", is_group=True), "три", "четыре")
    talk(store, Talk("", "boris", "v", "g", is_group=True), "чужое", "да")
    store.relate("", "u", "anna", Relation("friend", "Оля"))
    made = store.everything("", "u")
    assert [(one.voice, one.group, [turn.text for turn in one.turns]) for one in made.conversations] == [
        ("anna", False, ["раз", "два"]),
        ("boris", True, ["три", "четыре"]),
    ]
    assert [(one.voice, one.relation, one.name) for one in made.relations] == [("anna", "friend", "Оля")]


def test_relation_is_replaced_and_forgotten(store: Store) -> None:
    assert store.relation("", "u", "anna") == Relation()
    for said in (Relation("friend", "Оля"), Relation("parent")):
        store.relate("", "u", "anna", said)
        assert store.relation("", "u", "anna") == said
    assert store.relation("", "v", "anna") == store.relation("", "u", "boris") == Relation()
    store.relate("", "u", "anna", Relation())
    assert store.relation("", "u", "anna") == Relation()


def test_many_write_at_once_and_nothing_is_lost(place: str) -> None:
    with Store(place) as one, Store(place) as other, ThreadPoolExecutor(8) as threads:
        chats = [Talk("", "anna", f"u{number % 3}", "c") for number in range(48)]
        list(
            threads.map(
                lambda asked: talk((one, other)[asked[0] % 2], asked[1], f"q{asked[0]}", f"a{asked[0]}"),
                enumerate(chats),
            )
        )
        kept = [text for user in range(3) for text in texts(one, Talk("", "anna", f"u{user}", "c"))]
    assert sorted(kept) == sorted(f"{side}{number}" for number in range(48) for side in "qa")


def test_what_is_kept_outlives_the_process_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "memory.sqlite"
    with Store(str(path)) as store:
        talk(store, ANNA, "секрет", "да")
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with Store(str(path)) as store:
        assert texts(store, ANNA) == ["секрет", "да"]
        store.forget(scope.own("", "u"))
        assert not [file for file in path.parent.iterdir() if "секрет".encode() in file.read_bytes()]
