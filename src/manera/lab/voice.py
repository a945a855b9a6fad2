"""A model from nothing becomes a voice: its base is the same model before it had learned, and the voice its weights.

So whatever writes, talks and measures with voices does so with it; a Transformer goes on to llama.cpp as any other.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch

from manera import config
from manera.bases import base_model
from manera.corpus.manifest import Speaker
from manera.corpus.storage import Corpus
from manera.files import replacing
from manera.lab import models, tokenizers
from manera.lab.settings import LabSettings, TokenizerKind
from manera.lab.training import LabStep, Trained
from manera.machine.memory import peak_memory_bytes
from manera.model import packed
from manera.records import TrainingStep
from manera.training import full, sharpness
from manera.training.material import Material, gather
from manera.training.result import Outcome, write_voice_folder
from manera.voice.folder import LAB, voice_folder
from manera.voice.manifest import Cost, HeldOut, Likelihood
from manera.voice.recipe import Recipe

ROWS_AT_ONCE = 8
MAX_LENGTH: dict[TokenizerKind, int] = {"character": 1024, "byte": 2048}
"""Tokens of an example that hold about as much text as 256 of other tokenizers do."""

IN_LLAMA_CPP: tuple[TokenizerKind, ...] = ("character", "byte", "bpe")
"""Tokenizers that llama.cpp has; a Transformer with another one is run by transformers."""


class LabCard(msgspec.Struct, frozen=True):
    """What ``lab.json`` keeps: how a voice's model was made, and how well it told the text that it was chosen on."""

    settings: LabSettings
    bits_per_byte: float
    test_bits_per_byte: float
    parameters: int
    tokens: int
    seconds: float
    kept_step: int
    is_overfitted: bool
    curve: tuple[LabStep, ...]


def write_voice(corpus: Corpus, speaker: Speaker, name: str, trained: Trained, test_bits_per_byte: float) -> HeldOut:
    """Write a voice's folder, whole or not at all; return how it tells held-out text. Raises ManeraError."""
    settings = trained.settings
    base = _write_base(name, trained)
    material = gather(corpus, speaker.speaker_id, base, _max_length(settings))
    held_out = HeldOut(base=_measured(base_model.load(base), material), voice=_measured(trained.model, material))
    rows = material.dataset.rows
    recipe = Recipe(
        method="full",
        learning_rate=settings.learning_rate,
        dropout=settings.dropout,
        max_length=material.max_length,
        batch_tokens=settings.batch * settings.context,
        seed=settings.seed,
        rows=len(rows["train"]),
        rows_read=len(rows["train"]),
        steps=max(1, trained.curve[-1].step),
        kept_step=trained.kept_step,
    )
    outcome = Outcome(
        held_out,
        sharpness.choose(trained.model, rows["validation"], ROWS_AT_ONCE),
        Cost(trained.seconds, trained.tokens, peak_memory_bytes()),
        full.state(trained.model),
        _steps(trained),
        unread=(),
    )
    write_voice_folder(name, material, recipe, outcome)
    card = LabCard(
        settings,
        trained.bits_per_byte,
        test_bits_per_byte,
        trained.parameters,
        trained.tokens,
        trained.seconds,
        trained.kept_step,
        trained.is_overfitted,
        trained.curve,
    )
    with replacing(voice_folder(name) / LAB) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(card)))
    return held_out


def _write_base(name: str, trained: Trained) -> Path:
    """Write the model as it was before it learned as a base of its own; those of earlier voices of the name go."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    settings = trained.settings
    base = f"lab-{name}"
    with TemporaryDirectory(prefix="manera-lab-") as room:
        files = Path(room) / base
        _untrained(trained).save_pretrained(files)
        tokenizers.save(trained.tokenizer, files)
        if settings.kind == "transformer" and settings.tokenizer not in IN_LLAMA_CPP:
            folder = config.home() / "bases" / f"{base}-own-form"
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(folder, ignore_errors=True)
            base_model.build_own_form(files, base, f"seed {settings.seed}", folder)
        else:
            folder = base_model.prepare((), str(files))
    for other, described in list(base_model.built()):
        if described.id == base and other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _untrained(trained: Trained) -> Any:
    if trained.settings.kind != "ngram":
        return models.build(trained.settings, trained.tokenizer, ())
    model = type(trained.model)(trained.model.config)
    model.load_state_dict(trained.model.state_dict())
    torch.nn.init.zeros_(model.model.norm.weight)  # it believes nothing that it has counted
    return model


def _measured(model: Any, material: Material) -> Likelihood:
    packed.use_matrix_attention(model)
    nll = packed.measure(model.eval(), material.dataset.rows["test"], ROWS_AT_ONCE)
    return Likelihood(nll.perplexity, nll.bits_per_byte(material.dataset.scored_bytes["test"]))


def _max_length(settings: LabSettings) -> int | None:
    length = MAX_LENGTH.get(settings.tokenizer)
    return min(length or settings.context, settings.context) if settings.kind == "transformer" else length


def _steps(trained: Trained) -> Sequence[TrainingStep]:
    """Tell the measurements as the steps of any training."""
    before = LabStep(0, 0, 0.0, 0.0)
    last, made = trained.curve[-1].step, []
    nats = math.log(2) * trained.bytes_per_token
    for one in trained.curve:
        made.append(
            TrainingStep(
                step=one.step,
                steps=last,
                loss=one.loss,
                tokens=one.tokens - before.tokens,
                supervised_tokens=one.tokens - before.tokens,
                learning_rate=trained.settings.learning_rate,
                seconds=one.seconds - before.seconds,
                validation_loss=None if one.bits_per_byte is None else one.bits_per_byte * nats,
            )
        )
        before = one
    return made
