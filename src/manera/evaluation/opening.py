"""What an evaluation opens, and in what order: each value once, when a part first asks for it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from torch import nn

from manera.bases import base_model
from manera.dataset.examples import messages_of
from manera.errors import EvaluationError, ManeraError
from manera.evaluation import scoring
from manera.evaluation.asked import Prompts, Task, chosen, require_enough, tasks
from manera.evaluation.budget import FULL, Budget
from manera.evaluation.encoders import Encoders, open_encoders
from manera.evaluation.imitation import imitate_author
from manera.evaluation.judge import Judge, train_judge
from manera.evaluation.measures.copying import Source, index_source
from manera.evaluation.measures.spread import spread
from manera.evaluation.one_reply_at_a_time import Order, Replies, reply_in_new_process
from manera.evaluation.other_authors import UNTRAINED_BASE, find_others
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.rungs import Prefixes, persona_note
from manera.evaluation.stretches import Stretches
from manera.evaluation.voice_dataset import VoiceDataset, own_texts, own_writing, read_dataset
from manera.evaluation.writing import SLOTS, Wrap, Writer
from manera.evaluation.written import Answers, RungWriter
from manera.generation.either import adapter_of, model_of, open_engine
from manera.generation.engine import Engine
from manera.generation.own_models import OwnModels
from manera.generation.remote import open_engine as open_remote_engine
from manera.generation.reply import voice_writer, writing
from manera.retrieval.examples import Retriever
from manera.text.languages import language_of
from manera.voice import merging
from manera.voice.dataset import read_unread
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice, read_voice, require_base

CONTEXT = 1024

T = TypeVar("T")


class _Once(Generic[T]):
    """A property made when it is first asked for; where that failed, it fails in the same way ever after."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make

    def __get__(self, opened: object, owner: type | None = None) -> T:
        known = vars(opened)
        name = self._make.__name__
        if f"{name} failed" in known:
            raise known[f"{name} failed"]
        try:
            known[name] = self._make(opened)  # found there before this property from now on
        except ManeraError as error:
            known[f"{name} failed"] = error
            raise
        found: T = known[name]
        return found


@dataclass(frozen=True)
class Options:
    """What is asked of an evaluation.

    against: other voices to score on the same text. curve: whether to train anew on a quarter, a half and all of the
    text. urls: servers that write instead of an engine of this process; they give no log-probabilities of a given text.
    base: by default the built-in one in the voice's languages. drafts: of how many the voice's texts are chosen.
    """

    budget: Budget = FULL
    seed: int = 0
    against: tuple[str, ...] = ()
    curve: bool = False
    urls: tuple[str, ...] = ()
    base: Path | None = None
    drafts: int = 1


@dataclass(frozen=True)
class Opened:
    """The values that are handed to parts, for one voice. Each raises a ManeraError where it cannot be had."""

    voice: Voice
    base: Path
    options: Options

    @property
    def budget(self) -> Budget:
        """How much is measured."""
        return self.options.budget

    @property
    def seed(self) -> int:
        """What everything is drawn with."""
        return self.options.seed

    @_Once
    def dataset(self) -> VoiceDataset:
        """What was learned, and what is held out; it has to be what the voice was trained on."""
        return read_dataset(self.voice)

    @_Once
    def language(self) -> str:
        """The author's language; by the name alone where the dataset cannot be read."""
        try:
            return language_of(own_texts(self.dataset.training))
        except EvaluationError:
            return language_of([self.voice.persona.name])

    @_Once
    def encoders(self) -> Encoders:
        """The voice's template and the base's."""
        return open_encoders(self.voice, self.base)

    @_Once
    def model(self) -> nn.Module:
        """Base and adapter, to be scored."""
        if self.options.urls:
            raise NotMeasuredError("server_scores_nothing", "evaluate without --url")
        require_base(self.voice, base_model.read(self.base))
        return scoring.load_model(self.base, self.voice)

    @_Once
    def stretches(self) -> Stretches:
        """What is scored."""
        return Stretches(encoders=self.encoders, dataset=self.dataset)

    @_Once
    def places_read(self) -> list[int]:
        """Which stretches of the training text the voice had read by the point that was kept."""
        return self.stretches.places_but(read_unread(self.voice.name))

    @_Once
    def tasks(self) -> list[Task]:
        """What both are asked to write."""
        found = tasks(self.dataset.test, self.voice.kind)
        require_enough(found)
        return chosen(found, self.budget.texts, self.budget.words)

    @_Once
    def earlier(self) -> list[Task]:
        """As many turns of the training text."""
        found = tasks(self.dataset.training, self.voice.kind)
        return chosen(found, self.budget.texts, self.budget.words)

    @_Once
    def retriever(self) -> Retriever:
        """The author's own examples, by what they answer."""
        return Retriever(tasks(self.dataset.training, self.voice.kind))

    @_Once
    def source(self) -> Source:
        """What the author wrote in training, indexed to find it again."""
        return index_source([" ".join(talk) for talk in own_writing(self.dataset.training)])

    @_Once
    def prefixes(self) -> Prefixes:
        """What each rung reads before a prompt."""
        voice, training = self.voice, self.dataset.training
        note = persona_note(voice.persona.name, voice.kind, training, find_others(voice, training).values())
        return Prefixes(voice.kind, self.retriever, note)

    @_Once
    def prompts(self) -> Prompts:
        """How tasks become token ids."""
        return Prompts(self.voice.kind, CONTEXT - self.voice.sampling.max_new_tokens - 1)

    @_Once
    def writer(self) -> Writer:
        """What writes."""
        sampling = msgspec.structs.replace(self.voice.sampling, drafts=self.options.drafts)
        return Writer(self._engine, self.voice.name, sampling, self.seed)

    @_Once
    def wrap(self) -> Wrap:
        """How the voice is used: under its guard, in drafts."""
        used = voice_writer(self.voice, self.encoders.voice.tokenizer)
        return lambda engine: writing(engine, used)

    @_Once
    def answers(self) -> Answers:
        """What base and voice wrote on the tasks."""
        writer = RungWriter(self.writer, self.prompts, self.encoders, self.prefixes, self.wrap)
        return writer.answers(self.tasks, self.budget)

    @_Once
    def judge(self) -> Judge:
        """A verifier that learned the author against others."""
        asked = self.tasks  # that they are too few is known before anything is written
        others = find_others(self.voice, self.dataset.training)
        folder, plain = voice_folder(self.voice.name), self.encoders.base
        imitations = imitate_author(folder, self.writer, self.prompts, plain, self.retriever, self.earlier)
        others[UNTRAINED_BASE] = [messages_of(text) for text in imitations]
        return train_judge(self.dataset.training, others, self.voice.kind, asked, self.budget.pieces)

    @_Once
    def replies(self) -> Replies:
        """Replies of the voice, one after another in a process of its own."""
        if self.options.urls:
            raise NotMeasuredError("server_cost_unseen", "evaluate without --url")
        prompts = self.prompts.of(self.encoders.voice, spread(self.tasks, self.budget.replies))
        adapters = {name: str(path) for name, path in self._adapters.items()}
        order = Order(str(self._own_model or self._base_file), adapters, prompts, self.voice.sampling, CONTEXT)
        return reply_in_new_process(order)

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        """Open what writes, and close it in the end."""
        if self.options.urls:
            encode = self.encoders.voice.text
            remote = open_remote_engine(self.options.urls, self.voice.base.id, encode, context_length=CONTEXT)
            with closing(remote):
                yield remote
            return
        require_base(self.voice, base_model.read(self.base))
        open_here = partial(open_engine, slots=SLOTS, context_length=CONTEXT)
        with closing(
            OwnModels(open_here(self._base_file, self._adapters), lambda _: self._own_model, open_here)
        ) as all:
            yield all

    @property
    def _base_file(self) -> Path:
        return model_of(self.base)

    @property
    def _adapters(self) -> dict[str, Path]:
        """The adapter's file by the name an engine knows it by; none of a voice that is a model of its own."""
        return {} if self.voice.recipe.stands_alone else {self.voice.name: adapter_of(self.voice)}

    @property
    def _own_model(self) -> Path | None:
        """The model that such a voice is."""
        return merging.merged(self.voice, self.base) if self.voice.recipe.stands_alone else None


def open_voice(name: str, options: Options) -> Opened:
    """Read a voice and find its base; raise ModelError when one is missing."""
    voice = read_voice(name)
    return Opened(voice, options.base or base_model.prepare_for(voice.base), options)
