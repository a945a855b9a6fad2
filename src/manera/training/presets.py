"""Presets: how people trained such voices, by name; each is a set of defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manera import config
from manera.errors import SettingsError, TrainingError
from manera.training.settings import TrainingConfig


@dataclass(frozen=True)
class Preset:
    """One way of training.

    base: on which it is usually done; None on any. architectures: on which it can be done, as GGUF files name them; all
    where there are none. settings: of ``[training]``.
    """

    name: str
    about: str
    settings: Mapping[str, Any]
    base: str | None = None
    architectures: tuple[str, ...] = field(default=())


PRESETS: tuple[Preset, ...] = (
    Preset(
        "rugpt3-post",
        "posts of a channel: an instruction and its answer, in 4 bits, rank 24 on the attention's two layers",
        {"method": "qlora", "rank": 24, "alpha": 48.0, "targets": ("c_attn", "c_proj"), "format": "instruction"},
        base="ai-forever/rugpt3medium_based_on_gpt2",
        architectures=("gpt2",),
    ),
    Preset(
        "rudialogpt",
        "a chat: turns joined by tokens for the first and the second speaker",
        {"method": "lora", "format": "pairs"},
        base="tinkoff-ai/ruDialoGPT-medium",
        architectures=("gpt2",),
    ),
    Preset(
        "tinyllama-character",
        "a character: the line before, then the character's; all weights of a small model",
        {"method": "full", "format": "previous-line"},
        base="nickypro/tinyllama-15M",
        architectures=("llama",),
    ),
    Preset(
        "yandexgpt-user",
        "a person of a chat: an instruction, what is recalled, and the answer; in 4 bits on the attention",
        {
            "method": "qlora",
            "targets": ("q_proj", "k_proj", "v_proj"),
            "format": "instruction-context-output",
            "context_share": 1.0,
        },
        base="yandex/YandexGPT-5-Lite-8B-pretrain",
        architectures=("llama",),
    ),
    Preset("prose", "a book: running text that is continued, read once", {"epochs": 1.0, "format": "prose"}),
)


def find(name: str) -> Preset:
    """Return the preset of this name; raise SettingsError when there is none."""
    for preset in PRESETS:
        if preset.name == name:
            return preset
    raise SettingsError(f"there is no preset {name!r}", f"presets: {', '.join(preset.name for preset in PRESETS)}")


def resolve(flags: Mapping[str, Any]) -> TrainingConfig:
    """Return the settings of ``[training]``, over those of the preset that they name; raise SettingsError."""
    given = config.resolve(TrainingConfig, "training", flags)
    if given.preset is None:
        return given
    return config.resolve(TrainingConfig, "training", flags, find(given.preset).settings)


def require_architecture(name: str, base: str, architecture: str) -> None:
    """Raise TrainingError when a preset cannot be had on a base of this architecture."""
    preset = find(name)
    if preset.architectures and architecture not in preset.architectures:
        fitting = [one.name for one in PRESETS if not one.architectures or architecture in one.architectures]
        raise TrainingError(
            f"the preset {name!r} trains bases of the architecture {' or '.join(preset.architectures)}, "
            f"and {base} is {architecture}",
            f"--base {preset.base}, or a preset that fits: {', '.join(fitting)}",
        )
