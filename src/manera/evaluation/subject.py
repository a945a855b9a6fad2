"""A voice being measured: what it was trained on, how it is asked, and its models once they are needed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
from torch import nn

from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.dataset.examples import messages_of
from manera.errors import EvaluationError
from manera.evaluation import ladder, scoring
from manera.evaluation.alone import Alone, Order, write_alone
from manera.evaluation.copying import Source, index_source
from manera.evaluation.delta import Delta, fit_delta
from manera.evaluation.distractors import gather, language_of, own_writing
from manera.evaluation.findings import Findings
from manera.evaluation.held_out import (
    Material,
    Scored,
    Task,
    beginning,
    plain_encoder,
    prompt_ids,
    read_material,
    require_unchanged,
    spread,
    tasks,
    to_score,
    within,
)
from manera.evaluation.imitation import imitate
from manera.evaluation.intervals import Interval
from manera.evaluation.ladder import RUNGS, Prefixes, Rung
from manera.evaluation.learned import learned
from manera.evaluation.likeness import SIZES, Size, Verifier, cut, cut_to_learn, train_verifier
from manera.evaluation.report import Better, Metric, metric
from manera.evaluation.retrieval import Retriever
from manera.evaluation.style import Piece, words
from manera.evaluation.writing import Written, write_all
from manera.generation.engine import Engine
from manera.generation.guard import Guard
from manera.generation.llama_cpp import open_engine
from manera.generation.remote import open_engine as open_remote_engine
from manera.records import SplitName
from manera.voice.dataset import training_texts
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import Voice, read_voice, require_base

BASE, VOICE = RUNGS[0], RUNGS[3]
UNGUARDED = "voice without guard"
IMITATION = "the untrained base, shown the author's examples"
LEAST_TASKS = 8
LEAST_BUNDLES = 6
LEAST_BUNDLE = 5
LEAST_IMITATED = 32
SLOTS = 16
CONTEXT = 1024
DEFAULT_LENGTH = 512
SHORT = 128
"""Tokens of running text by which a page is known again: many short stretches tell more than a few long ones."""


class Budget(NamedTuple):
    """How much is measured: tokens scored on each rung, texts written by base and voice, on prompts to which the
    person wrote so many words, whether the voice writes without its guard too, texts for each other rung, replies
    ranked, tokens and texts for each dial setting, pieces of each author that the verifier learns from, canaries that
    planted ones are ranked among, and replies written alone to see what one costs."""

    scored_tokens: int
    texts: int
    words: int
    unguarded: bool
    rung_texts: int
    ranked: int
    dial_tokens: int
    dial_texts: int
    pieces: int
    canaries: int
    replies: int


FULL = Budget(
    scored_tokens=12_000,
    texts=120,
    words=15_000,
    unguarded=True,
    rung_texts=40,
    ranked=20,
    dial_tokens=2_500,
    dial_texts=24,
    pieces=500,
    canaries=512,
    replies=8,
)
FAST = Budget(
    scored_tokens=1_500,
    texts=24,
    words=600,
    unguarded=False,
    rung_texts=0,
    ranked=0,
    dial_tokens=0,
    dial_texts=0,
    pieces=80,
    canaries=128,
    replies=2,
)


class Judge(NamedTuple):
    """Who says how like the author a text is: a verifier and Burrows's Delta, and the pieces that they read."""

    verifier: Verifier
    delta: Delta
    size: Size

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """Cut texts into pieces, message by message."""
        return cut([messages_of(text) for text in texts], self.size).pieces


@dataclass
class Subject:
    """A voice being measured, and what was found so far.

    urls: servers that write instead of an engine of this process. They give no log-probabilities of a given text.
    """

    voice: Voice
    base: Path
    budget: Budget
    seed: int
    urls: tuple[str, ...] = ()
    metrics: dict[str, Metric] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    @cached_property
    def material(self) -> Material:
        """The dataset, which has to be the one that was trained on."""
        material = read_material(self.voice)
        require_unchanged(self.voice)
        return material

    @cached_property
    def language(self) -> str:
        """The author's language; by the name alone where the dataset cannot be read."""
        try:
            return language_of(own_writing(self.material.training))
        except EvaluationError:
            return language_of([[self.voice.persona.name]])

    @cached_property
    def encoder(self) -> Encoder:
        """The voice's template on its base's tokenizer. Raises ModelError when it was trained on another base."""
        require_base(self.voice, base_model.read(self.base))
        template = self.voice.template
        return Encoder(base_model.load_tokenizer(self.base), template)

    @cached_property
    def model(self) -> nn.Module:
        """Base and adapter, to be scored."""
        if self.urls:
            raise EvaluationError(
                "the server tells no log-probabilities of a text that it is given", "evaluate without --url"
            )
        require_base(self.voice, base_model.read(self.base))
        return scoring.load_model(self.base, self.voice)

    @cached_property
    def plain(self) -> Encoder:
        """The template for the untrained base."""
        return plain_encoder(self.voice, self.encoder)

    @property
    def max_length(self) -> int:
        """Tokens of the longest example that the voice learned from."""
        return self.voice.recipe.max_length

    @cached_property
    def tasks(self) -> list[Task]:
        """What both are asked to write; raise EvaluationError where it is too little."""
        found = tasks(self.material.test, self.voice.kind)
        if len(found) < LEAST_TASKS:
            raise EvaluationError(
                f"{len(found)} held-out turns can be answered, and {LEAST_TASKS} are needed: "
                f"{LEAST_TASKS - len(found)} more",
                "train on a larger corpus",
            )
        return self._spread(found)

    @property
    def conversations(self) -> list[int]:
        """The conversation of each task: what was written in one is drawn together."""
        return [task.conversation for task in self.tasks]

    @cached_property
    def earlier(self) -> list[Task]:
        """As many turns of the training text."""
        return self._spread(tasks(self.material.training, self.voice.kind))

    def _spread(self, found: Sequence[Task]) -> list[Task]:
        written = sum(len(words(task.reply)) for task in found)
        enough = self.budget.words * len(found) // max(written, 1)
        return spread(found, min(self.budget.texts, max(LEAST_TASKS, enough)))

    @cached_property
    def retriever(self) -> Retriever:
        """The author's own examples, by what they answer."""
        return Retriever(tasks(self.material.training, self.voice.kind))

    @cached_property
    def source(self) -> Source:
        """What the author wrote in training, indexed to find it again."""
        return index_source([" ".join(talk) for talk in own_writing(self.material.training)])

    @cached_property
    def guard(self) -> Guard:
        """What no reply of the voice may be, as it is used."""
        return Guard(self.encoder, lambda: training_texts(self.voice.name), self.voice.fillers)

    @cached_property
    def judge(self) -> Judge:
        """A verifier that learned the author against others, who are noted as findings."""
        training = self.material.training
        others = gather(self.voice, training)
        others[IMITATION] = [messages_of(text) for text in self._imitations()]
        self.findings.others = list(others)
        size = _piece_size(SIZES[self.voice.kind], [messages_of(task.reply) for task in self.tasks])
        own = cut_to_learn(own_writing(training), size)
        learned = {name: cut_to_learn(writing, size) for name, writing in others.items()}
        verifier = train_verifier(own, learned, most=self.budget.pieces)
        known = {"author": own.pieces, **{name: other.pieces for name, other in learned.items() if other.pieces}}
        return Judge(verifier, fit_delta(known), size)

    @cached_property
    def prefixes(self) -> Prefixes:
        """What each rung reads before a prompt."""
        return Prefixes(self.material, self.retriever, ladder.persona_note(self.material))

    @cached_property
    def written(self) -> dict[str, list[Written]]:
        """What was written on the tasks by base and voice, and on fewer of them by the other rungs."""
        asked = self.tasks
        with self.engine() as engine:
            found = {
                BASE.name: self.write(engine, 0.0, self.prompts(self.plain, asked)),
                VOICE.name: self.write(engine, 1.0, self.prompts(self.encoder, asked), self.guard),
            }
            if self.budget.unguarded:
                found[UNGUARDED] = self.write(engine, 1.0, self.prompts(self.encoder, asked))
            for rung in RUNGS if self.budget.rung_texts else ():
                if rung not in (BASE, VOICE):
                    found[rung.name] = self._on(engine, rung, spread(asked, self.budget.rung_texts))
            return found

    @cached_property
    def alone(self) -> Alone:
        """Replies of the voice, one after another in a process of its own."""
        if self.urls:
            raise EvaluationError(
                "a server writes, and what that costs is not seen from here", "evaluate without --url"
            )
        prompts = self.prompts(self.encoder, spread(self.tasks, self.budget.replies))
        adapters = {name: str(path) for name, path in self.adapters.items()}
        return write_alone(Order(str(self.base / "base.gguf"), adapters, prompts, self.voice.sampling, CONTEXT))

    def _on(self, engine: Engine, rung: Rung, asked: Sequence[Task]) -> list[Written]:
        encoder = self.encoder if rung.voice_scale else self.plain

        def before(task: Task, room: int) -> list[int]:
            return self.prefixes.of(rung, task.asked, encoder)[:room]

        guard = self.guard if rung.voice_scale else None
        return self.write(engine, rung.voice_scale, self.prompts(encoder, asked, before), guard)

    def _imitations(self) -> list[str]:
        """Let the base imitate the author on training prompts, no longer than the author writes on average."""

        def before(task: Task, room: int) -> list[int]:
            room = min(ladder.RETRIEVED_TOKENS, room)
            return self.retriever.shown(task.asked, self.voice.kind, self.plain, ladder.RETRIEVED, room, task)

        own = sum(len(self.plain.text(task.reply)) for task in self.earlier) // max(len(self.earlier), 1)
        most = min(max(own, LEAST_IMITATED), self.voice.sampling.max_new_tokens)
        sampling = msgspec.structs.replace(self.voice.sampling, max_new_tokens=most)
        prompts = self.prompts(self.plain, self.earlier, before)
        return imitate(voice_folder(self.voice.name), self.engine, prompts, sampling, SLOTS)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Open what writes, and close it in the end."""
        if self.urls:
            remote = open_remote_engine(self.urls, self.voice.base.id, self.encoder.text, context_length=CONTEXT)
            with closing(remote):
                yield remote
            return
        require_base(self.voice, base_model.read(self.base))
        with open_engine(self.base / "base.gguf", self.adapters, slots=SLOTS, context_length=CONTEXT) as engine:
            yield engine

    @property
    def adapters(self) -> dict[str, Path]:
        """The adapter's file by the name an engine knows it by."""
        return {self.voice.name: voice_folder(self.voice.name) / ADAPTER_GGUF}

    def prompts(
        self, encoder: Encoder, asked: Sequence[Task], before: Callable[[Task, int], list[int]] | None = None
    ) -> list[list[int]]:
        """Encode tasks so that a reply fits behind them, with what is to be read before them in the room left."""
        room = CONTEXT - self.voice.sampling.max_new_tokens - 1
        fitting = []
        for task in asked:
            ids = prompt_ids(encoder, self.voice.kind, task)[1:][-room:]
            first = before(task, room - len(ids)) if before else []
            fitting.append([encoder.bos, *first, *ids])
        return fitting

    def write(
        self, engine: Engine, voice_scale: float, prompts: Sequence[Sequence[int]], guard: Guard | None = None
    ) -> list[Written]:
        """Write on prompts with the voice turned up so far, as it samples by default."""
        scale = {self.voice.name: voice_scale} if voice_scale else {}
        return list(write_all(engine, prompts, self.voice.sampling, scale, SLOTS, self.seed, guard))

    def texts(self) -> dict[str, list[str]]:
        """Return what was really written on the tasks, and what base and voice wrote."""
        real = [task.reply for task in self.tasks]
        return {"real": real, **{who: [one.text for one in self.written[who]] for who in (BASE.name, VOICE.name)}}

    def stretches(self, encoder: Encoder, most: int) -> list[Scored]:
        """Return held-out stretches of so many tokens, the same ones whatever template they are written in."""
        own = self._to_score("test", self.encoder)
        return self._chosen("test", encoder, range(len(own)), most)

    def short_stretches(self, part: SplitName, encoder: Encoder, most: int) -> list[Scored]:
        """Return shorter, and so more, stretches, of training text those that the voice had read when it was kept."""
        places = self._learned if part == "train" else range(len(self._to_score(part, self.encoder)))
        return self._chosen(part, encoder, places, most, SHORT if self.voice.kind == "continuation" else sys.maxsize)

    def _chosen(
        self, part: SplitName, encoder: Encoder, places: Sequence[int], most: int, longest: int = sys.maxsize
    ) -> list[Scored]:
        own, written = (self._to_score(part, one) for one in (self.encoder, encoder))
        sizes = {place: min(len(own[place].encoded.input_ids), longest) for place in places}
        return [beginning(written[place], longest, encoder) for place in within(sizes, most)]

    def _to_score(self, part: SplitName, encoder: Encoder) -> list[Scored]:
        examples = self.material.test if part == "test" else self.material.training
        return to_score(examples, self.voice.kind, encoder, self.max_length)

    @cached_property
    def _learned(self) -> list[int]:
        return learned(self.voice, len(self._to_score("train", self.encoder)))

    def add(self, name: str, found: Interval, unit: str, n: int, better: Better, of: str = "conversations") -> None:
        """Note a metric."""
        self.metrics[name] = metric(found, unit, n, better, of)


def _piece_size(size: Size, real: Sequence[Sequence[str]]) -> Size:
    """Make bundles smaller where full ones would be too few to tell anything."""
    if size.messages is None:
        return size
    total = sum(map(len, real))
    return size._replace(messages=max(LEAST_BUNDLE, min(size.messages, total // LEAST_BUNDLES)))


def open_subject(
    name: str, fast: bool = False, seed: int = 0, base: Path | None = None, urls: Sequence[str] = ()
) -> Subject:
    """Read a voice and find its base, by default the built-in one; raise ModelError when one is missing."""
    voice = read_voice(name)
    return Subject(
        voice,
        base or base_model.prepare(voice.base.languages, voice.base.id),
        FAST if fast else FULL,
        seed,
        tuple(urls),
    )
