"""Who may see what: every look into the store goes through a scope.

What may be recalled is decided in ``recallable`` and nowhere else.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_

from manera.memory.tables import conversations, turns
from manera.memory.talk import Talk


@dataclass(frozen=True)
class Scope:
    """The turns of which every one of these columns has this value."""

    values: Mapping[Any, str | bool]

    @property
    def where(self) -> ColumnElement[bool]:
        """Return the condition on turns joined with their conversations."""
        return and_(*(column == value for column, value in self.values.items()))

    @property
    def key(self) -> Hashable:
        """What tells scopes apart."""
        return frozenset((str(column), value) for column, value in self.values.items())


def recallable(talk: Talk) -> Scope:
    """Return what may be recalled here.

    In private: this person's own talk with this voice, whichever chat of theirs it was in, and no group's. In a group:
    what was said in that group.
    """
    found = conversations.c
    here: dict[Any, str | bool] = {
        found.client: talk.client,
        found.voice: talk.voice,
        found.owner: talk.owner,
        found.is_group: talk.is_group,
    }
    return Scope(here | {found.chat: talk.chat} if talk.is_group else here)


def conversation(talk: Talk) -> Scope:
    """Return the turns of this one conversation: a part of what may be recalled here."""
    return Scope({**recallable(talk).values, conversations.c.chat: talk.chat})


def own(client: str, user: str, voice: str | None = None, chat: str | None = None) -> Scope:
    """Return what a person may see, search, take along and delete: what they said, and what they were answered.

    Of a group these are their own turns only.
    """
    asked = {conversations.c.voice: voice, conversations.c.chat: chat}
    given = {column: value for column, value in asked.items() if value is not None}
    return Scope({conversations.c.client: client, turns.c.user: user, **given})
