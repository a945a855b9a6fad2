"""What answers cost, and the cap on it: prices are read from a file that the person may replace."""

import tomllib
from pathlib import Path

import msgspec

from manera.errors import GenerationError
from manera.generation.server import Answer, Ask, guessed_prompt_tokens

MILLION = 1_000_000


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money for a million tokens that are read, and for a million that are written."""

    input: float
    output: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / MILLION


FREE = Price(0.0, 0.0)


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The prices of models by their names, in one currency; as_of: the day on which they were looked up."""

    currency: str = "USD"
    as_of: str = ""
    models: dict[str, Price] = {}


def read_prices(path: Path) -> Prices:
    """Read a file of prices; raise GenerationError where it cannot be read as one."""
    shape = '[models."NAME"] with input and output, money for a million tokens'
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Prices)
    except OSError as error:
        raise GenerationError(
            f"the prices in {path} cannot be read: {error.strerror}", f"write them: {shape}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise GenerationError(f"{path} is no file of prices: {error}", f"it holds {shape}") from error


class Spent(msgspec.Struct, frozen=True):
    """What was asked for and answered so far; money is None where no price is known."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    money: float | None


class Purse:
    """Counts what answers cost, and lets no question begin that could go over the budget."""

    def __init__(self, price: Price | None, budget: float | None) -> None:
        if budget is not None and price is None:
            raise GenerationError("a budget needs prices, and none is known for this model", "--prices FILE")
        self._price = price
        self._budget = budget
        self._reserved = 0.0
        self._calls = self._prompt_tokens = self._completion_tokens = 0

    def spent(self) -> Spent:
        """Return what was spent."""
        money = self._price.of(self._prompt_tokens, self._completion_tokens) if self._price else None
        return Spent(self._calls, self._prompt_tokens, self._completion_tokens, money)

    def reserve(self, ask: Ask) -> None:
        """Put aside what a question may cost; raise GenerationError where that is more than is left."""
        cost = self._at_most(ask)
        money = self.spent().money or 0.0
        if self._budget is not None and money + self._reserved + cost > self._budget:
            raise GenerationError(
                f"the budget of {self._budget:g} is used up: {money:.4g} are spent, and the next answer could cost "
                f"{cost:.4g}",
                "raise it with --budget; what was answered is kept and is not paid again",
            )
        self._reserved += cost

    def settle(self, ask: Ask, answer: Answer | None) -> None:
        """Take what was put aside for a question back, and count what its answer took, if there is one."""
        self._reserved -= self._at_most(ask)
        if answer:
            self.count(answer)

    def count(self, answer: Answer) -> None:
        """Count an answer."""
        self._calls += 1
        self._prompt_tokens += answer.prompt_tokens
        self._completion_tokens += answer.completion_tokens

    def _at_most(self, ask: Ask) -> float:
        return self._price.of(guessed_prompt_tokens(ask), ask.max_tokens) if self._price else 0.0
