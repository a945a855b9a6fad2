"""What a voice is: everything that using it depends on, as its manifest says it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from manera.bases.base_model import BaseModel
from manera.dataset.recalled import RecalledForm
from manera.dataset.rewriting import Rewriting
from manera.dataset.template import ChatTemplate
from manera.errors import ModelError
from manera.files import read_records, replacing
from manera.records import ExampleKind, TrainingStep
from manera.voice.folder import MANIFEST, TRAINING, voice_folder, voice_names, voices_folder
from manera.voice.recipe import Recipe

FORMAT = 2


class Persona(msgspec.Struct, frozen=True):
    """Whose manner was learned, and under which id the corpus knows them."""

    name: str
    speaker_id: str


class Likelihood(msgspec.Struct, frozen=True):
    """How well held-out text was predicted: per supervised token, and per UTF-8 byte of the same text."""

    perplexity: float
    bits_per_byte: float


class HeldOut(msgspec.Struct, frozen=True):
    """The same held-out text under the untrained base and under the voice."""

    base: Likelihood
    voice: Likelihood


class Cost(msgspec.Struct, frozen=True):
    """What training took: the whole run's seconds, tokens learned from, and memory at the process's peak.

    joules: what the processor's packages used meanwhile, with everything else that ran; None where no meter tells.
    """

    seconds: float
    tokens: int
    peak_memory_bytes: int
    joules: float | None = None


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is drawn; temperature 0 is greedy, None is off.

    DRY ("don't repeat yourself") lowers what would prolong a repetition of dry_allowed_length tokens or more, by
    dry_multiplier * dry_base ** (length - dry_allowed_length): https://github.com/oobabooga/text-generation-webui/pull/5677
    drafts: of how many the best is chosen; None leaves that to who writes.
    """

    temperature: float = 0.8
    top_p: float | None = 0.95
    top_k: int | None = None
    min_p: float | None = 0.05
    repetition_penalty: float | None = 1.1
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    max_new_tokens: int = 256
    seed: int | None = None
    drafts: int | None = None


class Sharpness(msgspec.Struct, frozen=True):
    """The temperature chosen for a voice, and on what: validation tokens, and what they cost at it and at 1."""

    temperature: float
    nats_per_token: float
    nats_per_token_at_1: float
    tokens: int


Filler = Annotated[str, msgspec.Meta(pattern=r"\S")]
"""A phrase that a voice is never to write; one of blanks alone would forbid every sentence."""


class Voice(msgspec.Struct, frozen=True):
    """Everything that using a voice depends on; written once, after training. Its owner may add ``fillers``.

    turns: how many before a reply it reads, None as many as fit. recalled: how what memory recalls is written.
    rewriting: how it is asked to rewrite a draft, None where it has not learned that. synthetic: the models that wrote
    what it has learned; none where people did.
    """

    name: str
    kind: ExampleKind
    persona: Persona
    base: BaseModel
    chat_template: str
    template_sha256: str
    end_of_turn: str
    instruction: str | None
    dataset_sha256: str
    recipe: Recipe
    held_out: HeldOut
    sampling: Sampling
    created_at: str
    manera_version: str
    cost: Cost | None = None
    format: int = FORMAT
    fillers: tuple[Filler, ...] = ()
    sharpness: Sharpness | None = None
    turns: int | None = None
    recalled: RecalledForm = "turns"
    rewriting: Rewriting | None = None
    synthetic: tuple[str, ...] = ()

    @property
    def template(self) -> ChatTemplate:
        """How messages become one string, as the voice has learned it."""
        return ChatTemplate(self.chat_template, self.base.bos, self.end_of_turn)


def list_voices() -> Iterator[Voice]:
    """Yield the voices that are there, by name. Raises ModelError at one that is broken."""
    return map(read_voice, voice_names())


def read_voice(name: str) -> Voice:
    """Read a voice's manifest; raise ModelError when there is no such voice."""
    manifest = voice_folder(name) / MANIFEST
    try:
        document = msgspec.json.decode(manifest.read_bytes())
        return msgspec.convert(_upgraded(document), type=Voice)
    except FileNotFoundError as error:
        known = ", ".join(voice_names())
        raise ModelError(
            f"no voice {name!r} in {voices_folder()}",
            f"voices: {known}" if known else "make one: manera up PATH",
        ) from error
    except msgspec.DecodeError as error:
        raise ModelError(f"{manifest} is not a voice's manifest: {error}", "train the voice again") from error


def read_steps(name: str) -> list[TrainingStep]:
    """Read the record of a voice's training; nothing where it is missing or broken, since a voice works without it."""
    try:
        return list(read_records(voice_folder(name) / TRAINING, TrainingStep))
    except (OSError, msgspec.DecodeError):
        return []


def require_base(voice: Voice, base: BaseModel) -> None:
    """Raise ModelError unless the voice was trained on this very base: its adapter would fit no other."""
    differing = voice.base.differs_in(base)
    if differing:
        wanted, found = voice.base, base
        raise ModelError(
            f"the voice {voice.name!r} was trained on {wanted.id} ({', '.join(wanted.languages)}), and this is "
            f"{found.id} ({', '.join(found.languages)}): they differ in {', '.join(differing)}",
            f"use it with the base for {','.join(wanted.languages)}, or train it again",
        )


def write_voice(voice: Voice, folder: Path) -> None:
    """Write a voice's manifest into its folder."""
    with replacing(folder / MANIFEST) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(voice)))


def _upgraded(document: Any) -> Any:
    """Write a manifest of format 1 as one of today: rank, alpha and seed stood beside the settings."""
    if not isinstance(document, dict) or "recipe" in document or not isinstance(document.get("settings"), dict):
        return document
    settings = {name: value for name, value in document["settings"].items() if value is not None}
    known = {name: settings[name] for name in Recipe.__struct_fields__ if name in settings}
    own = {name: document[name] for name in ("rank", "alpha", "seed") if name in document}
    return document | {"recipe": known | own | {"compiled": settings.get("compile") == "on"}}
