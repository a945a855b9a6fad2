"""The whole of synthesis: a style and topics in, a corpus on disk out, facts on the way.

<out>.synthesis/answers.jsonl    one Answer a line, kept as it comes: what was paid for is not asked again
                /topics.json     the topics in their order
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec

from manera.clock import Clock
from manera.corpus.cleaning import Cleaning
from manera.corpus.manifest import Ledger
from manera.corpus.storage import DIVERSITY, SYNTHESIS, require_free, write
from manera.errors import CorpusError, GenerationError, SynthesisError
from manera.files import locked, replacing
from manera.generation.answers import Answers, answered, by_key, open_answers, read_answers
from manera.generation.server import Answer, Ask, Server
from manera.generation.spending import Purse, Spent
from manera.records import Cut, Dropped, Opened, SourceRecord, Utterance, count_characters
from manera.retrieval.sentences import embed
from manera.synthesis import diversity, page, sieve, topics
from manera.synthesis.diversity import Diversity
from manera.synthesis.planning import Plan, plan, price_of
from manera.synthesis.prompts import TOPIC, Examples, ask
from manera.synthesis.settings import SynthesisConfig
from manera.text.languages import Language

ANSWERS = "answers.jsonl"
KIND = "synthetic"
_MADE_ALREADY = "to make it anew, add --replace: answers that are there are used again and not paid for twice"


@dataclass(frozen=True)
class Order:
    """What is to be written: so many texts, by whom they are to be, and where the corpus goes."""

    style: str
    seeds: tuple[str, ...]
    count: int
    folder: Path
    name: str
    server: Server
    config: SynthesisConfig
    language: Language
    examples: Examples | None = None
    replace: bool = False

    @property
    def work(self) -> Path:
        """Where answers are kept, beside the corpus."""
        return self.folder.absolute().with_name(f"{self.folder.absolute().name}.synthesis")

    @property
    def is_bare(self) -> bool:
        """Tell whether the style is the whole question, and no example is shown."""
        return TOPIC in self.style

    @property
    def topics_needed(self) -> int:
        """How many topics there should be."""
        return -(-self.count // self.config.texts_per_topic)


class Asked(msgspec.Struct, frozen=True):
    """How far it is: so many of all answers of a round are here; of what: topics or texts. spent: of all runs."""

    what: str
    answers: int
    of: int
    spent: Spent


class Written(msgspec.Struct, frozen=True):
    """A text that is kept, what it is about, and the place it was asked for at."""

    place: int
    topic: str
    text: str


class Synthesized(msgspec.Struct, frozen=True):
    """What became of it. topics: how many the texts are about, own_topics of them listed; ledger: the corpus's."""

    model: str
    texts: int
    wanted: int
    topics: int
    own_topics: int
    spent: Spent
    currency: str
    ledger: Ledger
    diversity: Diversity


Event = Asked | Synthesized


def planned(order: Order) -> Plan:
    """Tell what it would take, and leave nothing behind; topics that are still to be made are taken to be like others.

    Raises ManeraError.
    """
    require_free(order.folder, order.replace, _MADE_ALREADY)
    price, prices = price_of(order.server, order.config.prices)
    Purse(price, order.config.budget)
    known = topics.stored(order.work, order.seeds)
    answers = by_key(read_answers(order.work / ANSWERS))
    texts = [_ask(order, known.topics, place, 0) for place in range(order.count)]
    return plan(order.server, _topic_asks(order, known), texts, answers, price, prices)


def synthesize(order: Order, clock: Clock | None = None) -> Iterator[Event]:
    """Let a model write a corpus, whole or not at all.

    What was answered in an earlier run is taken as it is. Raises ManeraError: a folder that is in use or cannot be
    written, a budget that is used up, a server that does not answer, nothing that could be kept.
    """
    require_free(order.folder, order.replace, _MADE_ALREADY)
    price, prices = price_of(order.server, order.config.prices)
    purse = Purse(price, order.config.budget)
    with _working(order.work), open_answers(order.work / ANSWERS) as kept:
        for answer in kept:
            if answer.model == order.server.model:
                purse.count(answer)
        asking = _Asking(kept, purse, clock)
        about = yield from _topics(order, asking)
        written, dropped = yield from _rounds(order, about, asking)
        ledger = _write(order, written, dropped, kept.path)
        real = order.examples.all if order.examples else ()
        found = diversity.measure([one.text for one in written], real)
        texts = [diversity.Placed(one.topic, one.text) for one in written]
        page.write_page(found, texts, real, order.server.model, order.language, order.folder / DIVERSITY)
        made = Synthesized(
            model=order.server.model,
            texts=len(written),
            wanted=order.count,
            topics=len({one.topic for one in written}),
            own_topics=len({one.topic for one in written} & set(order.seeds)),
            spent=purse.spent(),
            currency=prices.currency,
            ledger=ledger,
            diversity=found,
        )
        _write_record(order, made)
    yield made


@dataclass(frozen=True)
class _Asking:
    """What every question goes through."""

    kept: Answers
    purse: Purse
    clock: Clock | None

    def walk(
        self, order: Order, asks: Sequence[Ask], found: dict[int, Answer], attempt: int | None = None
    ) -> Iterator[Asked]:
        """Collect the answers of all questions by their places. attempt: of texts, the so-many-th; None for topics."""
        what = "topics" if attempt is None else "texts"
        try:
            for place, answer in answered(order.server, asks, self.kept, order.config.at_once, self.purse, self.clock):
                found[place] = answer
                yield Asked(what, len(found), len(asks), self.purse.spent())
        except GenerationError as error:
            there = (
                f"{len(self.kept):,} answers are kept in {self.kept.path.parent}: the same command goes on from them"
            )
            enough = order.count if attempt else next(place for place in count() if place not in found)
            if attempt is not None and enough:
                there += f", and --count {enough} --tries 1 makes a corpus of what there is"
            raise GenerationError(error.message, f"{error.hint}; {there}" if error.hint else there) from error


def _topics(order: Order, asking: _Asking) -> Generator[Asked, None, Sequence[str]]:
    """Return as many topics as are needed, as far as the model can think of them."""
    known = topics.stored(order.work, order.seeds)
    asks = _topic_asks(order, known)
    if asks:
        found: dict[int, Answer] = {}
        yield from asking.walk(order, asks, found)
        candidates = [topic for place in sorted(found) for topic in topics.listed(found[place].text)]
        chosen = topics.spread(known.topics, candidates, order.topics_needed, embed)
        known = topics.Topics(order.seeds, chosen, order.topics_needed)
        topics.store(order.work, known)
    return known.topics


def _topic_asks(order: Order, known: topics.Topics) -> list[Ask]:
    return topics.asks(known, order.topics_needed, order.language, order.config.seed)


def _rounds(
    order: Order, about: Sequence[str], asking: _Asking
) -> Generator[Asked, None, tuple[list[Written], list[SourceRecord]]]:
    """Ask for all texts, and again for those that are not kept; return them in their order, and what was dropped."""
    written: list[Written] = []
    dropped: list[SourceRecord] = []
    examples = order.examples.all if order.examples else ()
    kept = sieve.Sieve(order.language, order.config.min_words, [order.style, *examples])
    places: list[int] = list(range(order.count))
    for attempt in range(order.config.tries):
        found: dict[int, Answer] = {}
        asks = [_ask(order, about, place, attempt) for place in places]
        yield from asking.walk(order, asks, found, attempt)
        missing = []
        for number, place in enumerate(places):
            text = sieve.bare(found[number].text)
            if cut := count_characters(found[number].text) - count_characters(text):
                dropped.append(Cut(sieve.INTRODUCED, ANSWERS, cut))
            if reason := kept.refusal(found[number], text):
                dropped.append(Dropped(reason, ANSWERS, count_characters(text)))
                missing.append(place)
            else:
                written.append(Written(place, _topic(order, about, place), text))
        places = missing
        if not places:
            break
    return sorted(written, key=lambda one: one.place), dropped


def _topic(order: Order, about: Sequence[str], place: int) -> str:
    return about[place // order.config.texts_per_topic % len(about)]


def _ask(order: Order, about: Sequence[str], place: int, attempt: int) -> Ask:
    topic = _topic(order, about, place)
    return ask(order.style, topic, order.examples, order.language, order.config, place, attempt)


def _write(order: Order, written: Sequence[Written], dropped: Sequence[SourceRecord], answers: Path) -> Ledger:
    def records() -> Iterator[SourceRecord]:
        yield Opened(KIND, ANSWERS, answers)
        yield from dropped
        for one in written:
            yield Utterance(order.name, order.name, one.text, order.name, one.place, "post", ANSWERS, title=one.topic)

    if not written:
        reasons = sorted({one.reason for one in dropped if isinstance(one, Dropped)})
        raise SynthesisError(
            f"of {len(dropped):,} answers of {order.server.model} none can be kept: {', '.join(reasons)}",
            f"look at what it wrote: {answers}; another style, --min-words, --max-tokens or --language may help",
        )
    cleaning = Cleaning(keep_names=True, manner_only=False)
    made_by = (order.server.model,)
    return write(records(), order.folder, replace=order.replace, cleaning=cleaning, synthetic=made_by).ledger


def _write_record(order: Order, made: Synthesized) -> None:
    with replacing(order.folder / SYNTHESIS) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2))


@contextmanager
def _working(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(locked(folder))
        except BlockingIOError as error:
            raise SynthesisError(
                f"another process writes into {folder}", "wait for it, or choose another folder: --out"
            ) from error
        except OSError as error:
            raise CorpusError(
                f"{error.filename or folder} cannot be written: {error.strerror}", "choose another folder: --out"
            ) from error
        yield
