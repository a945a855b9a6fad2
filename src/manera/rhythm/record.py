"""When someone writes, without a word of what: ``rhythm.json``."""

from typing import Literal

import msgspec

FORMAT = 1

Pace = Literal["real", "brisk", "none"]
"""real: as they do, up to ``Delay.longest``; brisk: the same shape within a few seconds; none: at once."""


class Delay(msgspec.Struct, frozen=True):
    """How many seconds pass: exp(constant + slopes · log(1 + characters) + residual), as in a log-linear model.

    slopes: one for each length that is given. residuals: their quantiles at even steps from 0 to 1, from which one is
    drawn. median: seconds. longest: seconds that nobody is made to wait for longer than.
    """

    constant: float
    slopes: tuple[float, ...]
    residuals: tuple[float, ...]
    median: float
    longest: float


class Answering(msgspec.Struct, frozen=True):
    """Whether they speak next in a group: a logistic model. coefficients: by the names of ``answering.features``.

    threshold: the probability from which on speaking is right most often (the highest F1 on what was learned from).
    """

    constant: float
    coefficients: dict[str, float]
    threshold: float


class Rhythm(msgspec.Struct, frozen=True):
    """When someone writes, learned from the turns of a chat.

    bubbles: shares of turns of 1, 2, 3, ... messages; the last stands for more, too. waiting: before the first message,
    by the lengths of what was asked and of that message. typing: before each further one, by its own length; None where
    there were hardly any. hours: shares of messages by hour of the day, UTC. turns: how many it was learned from.
    answering: None without a group.
    """

    bubbles: tuple[float, ...]
    waiting: Delay
    typing: Delay | None
    hours: tuple[float, ...]
    turns: int
    answering: Answering | None = None
    format: int = FORMAT


class TimedTurn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn in lengths and seconds. asked: characters of the turn before, waited: seconds since that ended; None
    where nothing was asked. lengths: characters of each message; gaps: seconds between them.
    """

    at: int
    lengths: tuple[int, ...]
    gaps: tuple[int, ...] = ()
    asked: int | None = None
    waited: int | None = None


class Compared(msgspec.Struct, frozen=True):
    """What a rhythm is measured on, and was not learned from; and as many turns just before, which it was."""

    held_out: tuple[TimedTurn, ...]
    before: tuple[TimedTurn, ...]


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message in a group, as the one sees it whose rhythm it is. at: Unix seconds."""

    name: str
    text: str
    at: float
    is_mine: bool = False
    is_reply_to_me: bool = False
    mentions_me: bool = False
