"""What a corpus is going to take: calls, tokens and money, told before the first call."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from manera.generation.answers import Key, key
from manera.generation.server import Ask, Server, guessed_prompt_tokens
from manera.generation.spending import FREE, Price, Prices, read_prices

PRICES = Path(__file__).parent / "prices.toml"


class Plan(msgspec.Struct, frozen=True):
    """What is to be asked. calls: one for each text and each batch of topics; known: answers that are here already.

    prompt_tokens: guessed from the bytes. completion_tokens: at most, of one try for each text. money: at most, None
    where no price is known.
    """

    model: str
    texts: int
    calls: int
    topic_calls: int
    known: int
    prompt_tokens: int
    completion_tokens: int
    money: float | None
    currency: str
    prices_as_of: str


def price_of(server: Server, prices: Path | None) -> tuple[Price | None, Prices]:
    """Return what a model costs; one on this machine costs nothing unless the file says so. Raises ManeraError."""
    found = read_prices(prices or PRICES)
    price = found.models.get(server.model)
    return price or (None if server.is_elsewhere else FREE), found


def plan(
    server: Server,
    topic_asks: list[Ask],
    text_asks: list[Ask],
    known: Collection[Key],
    price: Price | None,
    prices: Prices,
) -> Plan:
    """Count what is to be asked, but for what was answered before."""
    all_asks = [*topic_asks, *text_asks]
    missing = [ask for ask in all_asks if key(server.model, ask) not in known]
    prompt_tokens = sum(map(guessed_prompt_tokens, missing))
    completion_tokens = sum(ask.max_tokens for ask in missing)
    return Plan(
        model=server.model,
        texts=len(text_asks),
        calls=len(missing),
        topic_calls=sum(ask in missing for ask in topic_asks),
        known=len(all_asks) - len(missing),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        money=price.of(prompt_tokens, completion_tokens) if price else None,
        currency=prices.currency,
        prices_as_of=prices.as_of,
    )
