"""Why something was not measured, as a value: an id and its parameters, which the page has words for."""

from typing import NamedTuple

from manera.errors import EvaluationError
from manera.evaluation.report.words import words_of

Parameters = dict[str, str | int | float]


class Reason(NamedTuple):
    """The id of a reason, such as ``too_few_turns``, and what its words name."""

    id: str
    parameters: Parameters


class NotMeasuredError(EvaluationError):
    """A part of a report cannot be measured; its message is the reason in English."""

    def __init__(self, reason: str, hint: str | None = None, **parameters: str | int | float) -> None:
        super().__init__(words_of("en", "reasons", reason, parameters), hint)
        self.reason = Reason(reason, parameters)
