"""What would be learned from an upload, and what it would take; worked out in a process, and not kept."""

import time
from pathlib import Path
from typing import Literal

import msgspec

from manera.bases import base_model
from manera.corpus.storage import Corpus, open_corpus
from manera.evaluation.measures.spread import spread
from manera.jobs.folder import Failure, Tenant
from manera.jobs.trainings import speaker_of, speeds
from manera.machine.memory import available_memory_bytes
from manera.records import ExampleKind, Message, SplitName
from manera.training import presets
from manera.training.forecast import guess
from manera.training.material import Material, gather
from manera.training.settings import epochs_of
from manera.voice.folder import is_there, name_for

PLANS = "plans"
SAMPLES = 3
FEW_WORDS = 2_000


class PlanOrder(msgspec.Struct, frozen=True, tag="plan"):
    """What a plan is wanted for."""

    tenant: Tenant
    created_ns: int
    corpus: str
    speaker: str | None
    base: str
    base_folder: str | None
    minutes: float | None


class Warned(msgspec.Struct, frozen=True):
    """What speaks against a plan, by id and in words."""

    id: Literal["few_words", "other_language", "guess", "lacks_memory"]
    message: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be learned. dropped: since the import, by reason. samples: examples to learn from.

    seconds_expected, memory_bytes_expected: as earlier trainings on this machine were, else a guess, which ``warnings``
    says. fits: whether so much memory is free now.
    """

    kind: ExampleKind
    persona: str
    speaker: str
    voice: str
    base: str
    languages: list[str]
    examples: dict[SplitName, int]
    tokens: dict[SplitName, int]
    dropped: dict[str, int]
    minutes: float | None
    seconds_expected: float
    memory_bytes_expected: int
    fits: bool
    samples: list[list[Message]]
    warnings: list[Warned]


class Planned(msgspec.Struct, frozen=True):
    """A plan, or why there is none."""

    plan: Plan | None = None
    error: Failure | None = None


def order_of(
    tenant: Tenant, corpus: Corpus, speaker: str | None, base: tuple[str, Path | None], minutes: float | None
) -> PlanOrder:
    """Write down what a plan is wanted for; raise JobError for a speaker who is not there."""
    chosen = speaker_of(corpus, speaker)
    id, folder = base
    place = str(folder) if folder else None
    return PlanOrder(tenant, time.time_ns(), str(corpus.folder), chosen.speaker_id, id, place, minutes)


def plan(order: PlanOrder) -> Plan:
    """Work a plan out; raise ManeraError where nothing can be learned."""
    settings = presets.resolve({"minutes": order.minutes})
    base = Path(order.base_folder) if order.base_folder else base_model.prepare(name=order.base)
    material = gather(open_corpus(Path(order.corpus)), order.speaker, base, settings.max_length, settings.format)
    earlier = speeds(order.base)
    rows, tokens = material.dataset.rows, material.dataset.rows["train"].tokens
    expected = guess(
        tokens * epochs_of(settings, material.kind),
        order.minutes,
        [one.tokens_per_second for one in earlier if one.tokens_per_second],
        [one.peak_memory_bytes or 0 for one in earlier],
    )
    free = available_memory_bytes()
    fits = free is None or expected.memory_bytes <= free
    return Plan(
        kind=material.kind,
        persona=material.speaker.name,
        speaker=material.speaker.speaker_id,
        voice=_free_name(material.speaker.name),
        base=order.base,
        languages=[material.language],
        examples={part: len(made) for part, made in material.dataset.examples.items()},
        tokens={part: held.tokens for part, held in rows.items()},
        dropped=material.dropped,
        minutes=order.minutes,
        seconds_expected=expected.seconds,
        memory_bytes_expected=expected.memory_bytes,
        fits=fits,
        samples=[list(example.messages) for example in spread(material.dataset.examples["train"], SAMPLES)],
        warnings=_warnings(
            material, base, is_guess=not earlier, lacks_memory=free is not None and expected.memory_bytes > free
        ),
    )


def _free_name(speaker: str) -> str:
    """Propose a name that no voice has."""
    name = name_for(speaker)[:60]
    number = 2
    proposed = name
    while is_there(proposed):
        proposed, number = f"{name}-{number}", number + 1
    return proposed


def _warnings(material: Material, base: Path, *, is_guess: bool, lacks_memory: bool) -> list[Warned]:
    told: list[Warned] = []
    if material.speaker.words < FEW_WORDS:
        few = f"{material.speaker.words:,} words are few: the voice will have little of {material.speaker.name}"
        told.append(Warned("few_words", few))
    languages = base_model.read(base).languages
    if languages and material.language not in languages:
        known = f"the base knows {', '.join(languages)}, and the words are {material.language}"
        told.append(Warned("other_language", known))
    if is_guess:
        guess = "the time is a guess: nothing has been trained on this base and machine yet"
        told.append(Warned("guess", guess))
    if lacks_memory:
        lacking = "so much memory is not free now: close other programs, or choose a smaller base"
        told.append(Warned("lacks_memory", lacking))
    return told
