"""What the bot keeps over a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.faces.telegram.state import MAX_PENDING, Incoming, Outgoing, Said, State

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot" / "42" / "state.sqlite"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    opened = State(path)
    yield opened
    opened.close()


def incoming(message: int, chat: int = 7, user: int = 7, text: str = "да") -> Incoming:
    return Incoming(chat, message, user, "Name", "ru", text, 1.0)


def test_file_is_its_owners_alone_and_survives(path: Path) -> None:
    first = State(path)
    first.finish(1, 0, incoming=incoming(5))
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600
    second = State(path)
    assert second.is_known(1)
    assert not second.is_known(2)
    assert second.pending(7) == [incoming(5)]
    assert second.unfinished() == [7]
    second.close()


def test_an_answer_takes_the_place_of_what_it_answers(state: State) -> None:
    state.finish(1, 0, incoming=incoming(5))
    state.finish(2, 0, incoming=incoming(6))
    burst = state.pending(7)
    state.ask(burst)
    assert [one.is_asked for one in state.pending(7)] == [True, True]
    state.finish(3, 0, incoming=incoming(7))
    state.answer(burst, ["раз", "два"], 11)
    assert state.pending(7) == [incoming(7)]
    first = state.outgoing(7, "reply")
    assert first is not None
    assert first[1:] == (7, "reply", "раз", 7, 11)
    state.sent(first, 100, 0)
    assert state.said(7, 100) == Said(7, 11)
    state.clear(7)
    assert state.unfinished() == []


def test_a_flood_is_bounded(state: State) -> None:
    for number in range(500):
        state.finish(number, 0, incoming=incoming(number))
    assert [one.message for one in state.pending(7)] == list(range(500 - MAX_PENDING, 500))


def test_edits_change_only_what_waits(state: State) -> None:
    state.finish(1, 0, incoming=incoming(5))
    state.edit(7, 5, "нет")
    state.edit(7, 6, "что")
    assert [one.text for one in state.pending(7)] == ["нет"]


def test_notices_pass_replies_by(state: State) -> None:
    state.answer([incoming(5)], ["раз"], None)
    state.finish(1, 0, notice=Outgoing(0, 7, "notice", "молчу", 7, None))
    notice = state.outgoing(7, "notice", "export")
    assert notice is not None
    assert notice.text == "молчу"
    state.clear(7)
    assert state.outgoing(7, "reply") is None
    assert state.outgoing(7, "notice") == notice


def test_a_group_goes_on_under_its_new_number(state: State) -> None:
    state.finish(1, 0, incoming=incoming(5, chat=-1))
    state.migrate(-1, -100)
    state.migrate(-100, -200)
    assert [one.message for one in state.pending(-200)] == [5]
    assert state.origin(-200) == -1
    assert state.origin(9) == 9


def test_budget_is_of_a_day_and_a_person(state: State) -> None:
    assert [state.spend(7, 0, 2) for _ in range(3)] == [True, True, False]
    assert [state.tell_budget(7, 0) for _ in range(2)] == [True, False]
    assert state.spend(8, 0, 2)
    assert state.spend(7, DAY, 2)


def test_a_person_is_forgotten(state: State) -> None:
    state.finish(1, 0, incoming=incoming(5))
    state.finish(2, 0, incoming=incoming(6, user=8))
    state.forget(7)
    assert [one.user for one in state.pending(7)] == [8]


def test_drafts_are_refused_once(state: State) -> None:
    assert state.takes_drafts(7)
    state.refuse_drafts(7)
    state.refuse_drafts(7)
    assert not state.takes_drafts(7)
    state.finish(1, 0)
    state.clean(40 * DAY)
    assert not state.is_known(1)
