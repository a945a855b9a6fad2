"""How what memory recalls stands before a reply: the same in training and in serving."""

from collections.abc import Sequence
from typing import Literal

from manera.records import Message

RecalledForm = Literal["turns", "note"]
"""As turns of both sides, as if they had just been said; or together as one system message."""


def recalled_messages(exchanges: Sequence[tuple[str | None, str | None]], form: RecalledForm) -> list[Message]:
    """Write exchanges, the nearest first, as messages: what was said and what was answered, the nearest last."""
    messages: list[Message] = []
    for said, answer in reversed(exchanges):
        messages += [Message("user", said)] if said else []
        messages += [Message("assistant", answer, weight=0)] if answer else []
    if form == "turns" or not messages:
        return messages
    return [Message("system", "\n".join(message.content for message in messages))]
