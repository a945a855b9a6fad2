"""Who may see what: random talks, and whatever is asked, nothing is recalled that was said elsewhere."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.memory import scope
from manera.memory.store import Store
from manera.memory.talk import Said, Talk

NAMES = st.sampled_from(["", "a", "b"])
TALKS = st.builds(
    Talk,
    client=NAMES,
    voice=st.sampled_from(["a", "b"]),
    user=st.sampled_from(["a", "b"]),
    chat=st.sampled_from(["a", "b"]),
    is_group=st.booleans(),
)
"""Names are the same for everything: a chat may be called as a person is."""


def may_see(asking: Talk, said: Talk) -> bool:
    """Say again, in the plainest words, what may be recalled."""
    if (asking.client, asking.voice, asking.is_group) != (said.client, said.voice, said.is_group):
        return False
    return said.chat == asking.chat if asking.is_group else said.user == asking.user


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talks=st.lists(TALKS, min_size=1, max_size=8), asking=TALKS)
def test_only_what_was_said_here_is_recalled(tmp_path: Path, talks: Sequence[Talk], asking: Talk) -> None:
    with Store(str(tmp_path / "memory.sqlite")) as store:
        for client, user in {(one.client, one.user) for one in store.people()}:
            store.forget(scope.own(client, user))
        said: dict[int, int] = {}
        for number, one in enumerate(talks):
            asked = store.ask(one, [Said(f"question {number}")])
            answered = store.answer(asked, one.user, f"answer {number}")
            assert answered is not None
            said |= {asked.turn: number, answered: number}
        visible = {number for number, one in enumerate(talks) if may_see(asking, one)}
        recallable = scope.recallable(asking)
        assert {said[turn.id] for turn in store.spoken(recallable, 0)} == visible
        exchanges = store.exchanges(recallable, dict.fromkeys(said, 1.0))
        assert {(one.text, one.answer) for one in exchanges} == {(f"question {n}", f"answer {n}") for n in visible}
        own = {n for n, one in enumerate(talks) if (one.client, one.user) == (asking.client, asking.user)}
        assert {said[turn.id] for turn in store.turns(scope.own(asking.client, asking.user), 100)} == own


@given(one=TALKS, other=TALKS)
def test_a_conversation_is_a_part_of_what_may_be_recalled_in_it(one: Talk, other: Talk) -> None:
    recallable, here = scope.recallable(one).values.items(), scope.conversation(one).values.items()
    assert recallable <= here
    is_same = scope.recallable(one).key == scope.recallable(other).key
    assert is_same == (scope.recallable(one).values == scope.recallable(other).values)


@pytest.mark.parametrize("is_group", [False, True])
def test_scope_names_every_border(is_group: bool) -> None:
    columns = {str(column) for column in scope.recallable(Talk("k", "v", "u", "c", is_group)).values}
    always = {"conversations.client", "conversations.voice", "conversations.owner", "conversations.is_group"}
    assert columns == always | ({"conversations.chat"} if is_group else set())
