"""Whether an export is the voice: the same token ids for the same messages, the same choice of the next token."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from manera.bases import base_model
from manera.errors import ExportError, ModelError
from manera.exports.probes import Probe, Read, as_read, probes
from manera.generation.reply import voice_writer
from manera.records import Message
from manera.voice import adapter
from manera.voice.folder import ADAPTER_GGUF
from manera.voice.manifest import Voice

if TYPE_CHECKING:
    from torch import nn

SAME_IDS = "prompts with the same token ids"
SAME_CHOICE = "places with the same likeliest token"


class Check(msgspec.Struct, frozen=True):
    """One thing that was compared: in which share of how many cases it agreed, and the least that will do."""

    name: str
    share: float
    least: float
    counted: int


class Compared(NamedTuple):
    """What an export has to agree with: how the voice reads each probe, and what it expects after each token."""

    probes: Sequence[Probe]
    reads: Sequence[Read]
    likeliest: Sequence[Sequence[int]]


def compared(voice: Voice, base: Path, folder: Path) -> Compared:
    """Ask the voice itself, in float32; raise ModelError when its files do not fit together."""
    if not voice.recipe.stands_alone:
        _require_one_adapter(voice, base, folder)
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    asked = probes(voice)
    reads = [as_read(writer, probe, voice.base.context_length) for probe in asked]
    return Compared(asked, reads, likeliest(_voice_model(voice, base, folder), reads))


def _require_one_adapter(voice: Voice, base: Path, folder: Path) -> None:
    """Compare what is exported with what serving uses: the same matrices and the same alpha, or one is damaged."""
    try:
        served, alpha = adapter.read_gguf(folder / ADAPTER_GGUF, base)
    except KeyError:
        served, alpha = {}, math.nan
    state = adapter.read_peft(folder)
    alike = math.isclose(alpha, voice.recipe.scale * voice.recipe.rank, rel_tol=1e-6) and served.keys() == state.keys()
    for name, matrix in served.items():
        alike = alike and np.allclose(matrix, state[name].float().numpy(), rtol=1e-3, atol=1e-6)
    if not alike:
        raise ModelError(
            f"the adapter of voice {voice.name!r} in {adapter.WEIGHTS} is not that in {ADAPTER_GGUF}: one is damaged",
            "train the voice again, or take its folder from a backup",
        )


def _voice_model(voice: Voice, base: Path, folder: Path) -> "nn.Module":
    from manera.training.methods import opened

    try:
        return opened(base, voice.recipe, adapter.read(folder))
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"the adapter of voice {voice.name!r} does not fit its manifest: {error}", "train the voice again"
        ) from error


def likeliest(model: "nn.Module", reads: Iterable[Read]) -> list[list[int]]:
    """Return, for each sequence, the token that a model finds likeliest after each of its tokens."""
    import torch

    with torch.inference_mode():
        return [model(torch.tensor([read.ids])).logits[0].argmax(-1).tolist() for read in reads]


def same_ids(ids_of: Callable[[Sequence[Message]], list[int]], expected: Compared) -> Check:
    """Compare what an export makes of messages with what the voice reads."""
    pairs = zip(expected.probes, expected.reads, strict=True)
    same = [ids_of(probe.messages) == read.prompt for probe, read in pairs]
    return Check(SAME_IDS, sum(same) / len(same), 1.0, len(same))


def same_choice(found: Sequence[Sequence[int]], expected: Sequence[Sequence[int]], least: float) -> Check:
    """Compare likeliest tokens, place by place."""
    pairs = [pair for ours in zip(found, expected, strict=True) for pair in zip(*ours, strict=True)]
    return Check(SAME_CHOICE, sum(one == other for one, other in pairs) / len(pairs), least, len(pairs))


def require(checks: Sequence[Check]) -> None:
    """Raise ExportError with every check that failed."""
    failed = [check for check in checks if not check.share >= check.least]
    if failed:
        told = "; ".join(f"{c.name}: {c.share:.1%} of {c.counted:,}, and {c.least:.1%} is the least" for c in failed)
        raise ExportError(
            f"the export is not the voice, and was not kept: {told}",
            "export another format, or with --dtype float32; if none will do, the voice's files are damaged: "
            "train it again",
        )
