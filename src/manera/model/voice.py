"""A voice on disk: PEFT's own adapter files, the same adapter as GGUF, and what is needed to use it right.

voices/<name>/manera.json                   Voice
             /adapter_config.json           PEFT
             /adapter_model.safetensors     PEFT
             /adapter.gguf                  llama.cpp
             /training.jsonl                one TrainingStep a line
             /canaries.jsonl                one planted Canary a line, where there are any
             /dataset/{train,validation,test}.jsonl
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from manera import config
from manera.errors import ModelError
from manera.files import read_records, replacing
from manera.model.base_model import BaseModel
from manera.records import ExampleKind, TrainingStep

MANIFEST = "manera.json"
ADAPTER_GGUF = "adapter.gguf"
TRAINING = "training.jsonl"
CANARIES = "canaries.jsonl"
_NAME = re.compile(r"[^\W_](?:[\w.-]{0,62}[\w-])?")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in "123456789")}
)
"""What Windows takes for devices, whatever follows the dot; a voice may be carried there."""


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


class Sharpness(msgspec.Struct, frozen=True):
    """The temperature chosen for a voice, and on what: validation tokens, and what they cost at it and at 1."""

    temperature: float
    nats_per_token: float
    nats_per_token_at_1: float
    tokens: int


Filler = Annotated[str, msgspec.Meta(pattern=r"\S")]
"""A phrase that a voice is never to write; one of blanks alone would forbid every sentence."""


class Voice(msgspec.Struct, frozen=True):
    """Everything that using a voice depends on; written once, after training. Its owner may add ``fillers``."""

    name: str
    kind: ExampleKind
    persona: Persona
    base: BaseModel
    chat_template: str
    template_sha256: str
    end_of_turn: str
    instruction: str | None
    rank: int
    alpha: float
    dataset_sha256: str
    seed: int
    held_out: HeldOut
    sampling: Sampling
    settings: dict[str, object]
    created_at: str
    manera_version: str
    cost: Cost | None = None
    format: int = 1
    fillers: tuple[Filler, ...] = ()
    sharpness: Sharpness | None = None


def voices_folder() -> Path:
    """Return the folder in which voices live."""
    return config.home() / "voices"


def voice_folder(name: str) -> Path:
    """Return where a voice of this name lives or would live; raise ModelError for an impossible name.

    Names are composed (NFC), as keyboards write them: macOS gives ``й`` as two characters.
    """
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name) or name.partition(".")[0].lower() in _DEVICES:
        raise ModelError(
            f"{name!r} cannot name a voice",
            "use up to 64 letters, digits, dots, dashes and underscores; begin with a letter, end without a dot",
        )
    return voices_folder() / name


def voice_names() -> list[str]:
    """Return the names of all voices that are there, readable or not, in order."""
    return [manifest.parent.name for manifest in sorted(voices_folder().glob(f"*/{MANIFEST}"))]


def list_voices() -> Iterator[Voice]:
    """Yield the voices that are there, by name. Raises ModelError at one that is broken."""
    return map(read_voice, voice_names())


def read_voice(name: str) -> Voice:
    """Read a voice's manifest; raise ModelError when there is no such voice."""
    manifest = voice_folder(name) / MANIFEST
    try:
        return msgspec.json.decode(manifest.read_bytes(), type=Voice)
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
    named = ("id", "revision", "vocabulary_sha256")
    differing = [part for part in named if getattr(voice.base, part) != getattr(base, part)]
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
