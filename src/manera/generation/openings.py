"""How the persona has answered when others began to talk: silent context for a conversation that has no past."""

from collections.abc import Callable, Iterable

from manera.records import Example, Message
from manera.retrieval.origins import TrainingIndex, TrainingMessage

MOST_EXCHANGES = 3
MOST_TOKENS = 256
"""What the context may take of the prompt."""


class Openings:
    """The first exchanges of training conversations, to be searched by how they were begun."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self._answers: dict[str, str] = {}
        for example in examples:
            first, *rest = example.messages
            if first.role == "user" and rest and rest[0].role == "assistant" and rest[0].weight:
                self._answers.setdefault(first.content, rest[0].content)
        self._begun = TrainingIndex(TrainingMessage(asked) for asked in self._answers)

    def before(self, message: str, count_tokens: Callable[[list[Message]], int], room: int) -> list[Message]:
        """Return exchanges that were begun most like this message, the likest last, in at most ``room`` tokens.

        count_tokens: of messages as the voice's template writes them. Where no words are shared, what was begun with
        about as many is taken.
        """
        chosen: list[Message] = []
        exchanges = 0
        for asked in self._likest(message):
            longer = [Message("user", asked), Message("assistant", self._answers[asked], weight=0), *chosen]
            if exchanges < MOST_EXCHANGES and count_tokens(longer) <= min(room, MOST_TOKENS):
                chosen, exchanges = longer, exchanges + 1
        return chosen

    def _likest(self, message: str) -> list[str]:
        similarity = self._begun.similarity(message)
        order = sorted(
            range(len(similarity)),
            key=lambda place: (-similarity[place], abs(len(self._begun.messages[place].text) - len(message))),
        )
        return [self._begun.messages[place].text for place in order[: 4 * MOST_EXCHANGES]]
