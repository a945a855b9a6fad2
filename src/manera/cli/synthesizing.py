"""``manera synthesize``: what it will take, how far it is, and what of a model's texts became a corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manera import config
from manera.cli import console
from manera.corpus.storage import DIVERSITY
from manera.errors import SettingsError

if TYPE_CHECKING:
    from manera.generation.server import Server
    from manera.generation.spending import Spent
    from manera.synthesis.planning import Plan
    from manera.synthesis.writing import Asked, Order, Synthesized

URL_VARIABLE = "OPENAI_BASE_URL"
KEY_VARIABLE = "OPENAI_API_KEY"
DEFAULT_URL = "https://api.openai.com/v1"
TOLD_TIMES = 40
NAMED_MODELS = 5


@dataclass(frozen=True)
class Wanted:
    """What was typed."""

    style: Path
    topics: Path
    count: int
    out: Path
    url: str | None = None
    examples: Path | None = None
    speaker: str | None = None
    name: str | None = None
    replace: bool = False


def synthesize(wanted: Wanted, flags: Mapping[str, object], plan: bool, as_json: bool) -> None:
    """Plan a corpus, or write it; show what it takes before the first call, and its ledger at the end."""
    from manera.synthesis.writing import Synthesized, planned
    from manera.synthesis.writing import synthesize as written

    order = _order(wanted, flags)
    found = planned(order)
    if plan:
        if as_json:
            console.result(found)
        else:
            console.show(in_words(found, order.config.tries))
        return
    console.say(in_words(found, order.config.tries))
    budget = order.config.budget
    if budget and found.money and found.money > budget:
        console.say(f"that may be more than the budget of {budget:g} {found.currency}: where it is used up, it stops")
    if order.server.is_elsewhere:
        console.say(_leaving(order))
    for event in written(order):
        if isinstance(event, Synthesized):
            _show(event, order, as_json)
        else:
            _draw(event, found.currency)


def in_words(plan: "Plan", tries: int) -> str:
    """Say what a corpus will take, in one line."""
    told = f"{plan.calls:,} calls of {plan.model}"
    if plan.topic_calls:
        told += f", {plan.topic_calls:,} of them for topics"
    if plan.known:
        told += f" ({plan.known:,} answers are here already)"
    told += f": about {plan.prompt_tokens:,} tokens to read, at most {plan.completion_tokens:,} to write"
    if plan.money is None:
        told += "; no price is known for it: --prices FILE"
    elif plan.money:
        dated = f", prices of {plan.prices_as_of}" if plan.prices_as_of else ""
        told += f", at most {plan.money:,.2f} {plan.currency}{dated}"
    return f"{told}; texts that are dropped are asked for up to {tries} times" if tries > 1 else told


def _order(wanted: Wanted, flags: Mapping[str, object]) -> "Order":
    """Read everything that can be read before a server is asked. Raises ManeraError."""
    from manera.synthesis.prompts import read_examples, read_style
    from manera.synthesis.settings import SynthesisConfig
    from manera.synthesis.topics import read_seeds
    from manera.synthesis.writing import Order
    from manera.text.languages import language_of

    if wanted.count < 1:
        raise SettingsError(f"--count {wanted.count} asks for no text", "say how many texts: --count 200")
    settings = config.resolve(SynthesisConfig, "synthesis", flags)
    style, seeds = read_style(wanted.style), read_seeds(wanted.topics)
    if wanted.speaker and not wanted.examples:
        raise SettingsError("--speaker says whose texts are shown, and none are", "--examples CORPUS")
    examples = read_examples(wanted.examples, wanted.speaker) if wanted.examples else None
    language = settings.language or language_of(examples.shown if examples else seeds)
    server = _server(wanted.url, settings.model)
    name = wanted.name or wanted.style.stem
    return Order(style, seeds, wanted.count, wanted.out, name, server, settings, language, examples, wanted.replace)


def _server(url: str | None, model: str | None) -> "Server":
    from manera.generation.answers import models
    from manera.generation.server import Server, address, stored

    where = address(url or stored(URL_VARIABLE) or DEFAULT_URL)
    server = Server(where, stored(KEY_VARIABLE), KEY_VARIABLE, model or "")
    if server.is_elsewhere and not server.key:
        raise SettingsError(
            f"there is no key for {where}",
            f"set {KEY_VARIABLE} in the environment or in .env; of another server, {URL_VARIABLE} as well",
        )
    if model:
        return server
    found = models(server)
    if len(found) != 1:
        named = ", ".join(found[:NAMED_MODELS]) + (", …" if len(found) > NAMED_MODELS else "")
        raise SettingsError(
            f"{where} has {len(found):,} models{f': {named}' if named else ''}",
            "say which one is to write: --model NAME",
        )
    return server._replace(model=found[0])


def _leaving(order: "Order") -> str:
    shown = ""
    if order.examples and order.config.shots and not order.is_bare:
        shown = f", and texts of {order.examples.speaker}"
    return (
        f"the style, the topics{shown} LEAVE THIS MACHINE now, for {order.server.model} at {order.server.url}: "
        "whoever runs it can read them; Ctrl-C ends it"
    )


def _draw(asked: "Asked", currency: str) -> None:
    every = max(1, asked.of // TOLD_TIMES)
    if asked.answers % every == 0 or asked.answers == asked.of:
        console.say(f"{asked.answers:,} of {asked.of:,} answers for {asked.what}{_spent(asked.spent, currency)}")


def _spent(spent: "Spent", currency: str) -> str:
    tokens = f"{spent.prompt_tokens:,} tokens read, {spent.completion_tokens:,} written"
    return f"; {tokens}" + (f", {spent.money:,.4g} {currency}" if spent.money else "")


def _show(made: "Synthesized", order: "Order", as_json: bool) -> None:
    if as_json:
        console.result(made)
        return
    console.show(
        f"{made.texts:,} texts by {made.model} about {made.topics:,} topics{_spent(made.spent, made.currency)}"
    )
    if made.texts < made.wanted:
        console.show(
            f"{made.wanted - made.texts:,} are missing: what it wrote there was dropped {order.config.tries} times"
        )
    for reason, count in made.ledger.dropped.items():
        console.show(f"{count:>7,}  {reason}")
    pairs = made.diversity.distinct.get(2, 0.0)
    console.show(f"{pairs:.0%} of word pairs are different; nearest text: cosine {made.diversity.nearest[1]:.2f}")
    console.show(f"page: {order.folder / DIVERSITY}")
    console.show(f"corpus: {order.folder}, marked synthetic; a voice of it: manera train {order.folder}")
