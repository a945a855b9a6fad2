"""A voice that was trained before, ready to go on: what it was made of, and its adapter in its base."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from manera.bases import base_model
from manera.corpus.manifest import Speaker
from manera.dataset.building import dataset_of
from manera.dataset.canaries import Canary
from manera.dataset.encoding import Encoded, Encoder
from manera.dataset.formats.format import Format
from manera.dataset.packing import pack, place
from manera.errors import ModelError, TrainingError
from manera.files import read_records
from manera.machine.memory import peak_memory_bytes
from manera.model import packed
from manera.records import Example, SplitName, TrainingStep
from manera.rhythm import learning
from manera.text.languages import language_of
from manera.training import full
from manera.training.fitting import fit
from manera.training.held_out import likelihood, scored_rows
from manera.training.material import Material
from manera.training.result import Outcome, write_voice_folder
from manera.training.run import Meter
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup, set_up_material
from manera.training.sharpness import choose
from manera.voice import adapter
from manera.voice.dataset import PARTS, dataset_file, fingerprint_of, read_rewrites
from manera.voice.exchanges import read_exchanges
from manera.voice.folder import CANARIES, DATASET, voice_folder
from manera.voice.instructions import read_made
from manera.voice.known import read_known
from manera.voice.manifest import Cost, HeldOut, Voice, require_base
from manera.voice.recipe import Recipe
from manera.voice.rhythm import read_compared, read_rhythm
from manera.voice.stale import require_fresh

FIXED = ("method", "rank", "alpha", "dropout", "targets", "max_length", "format", "context_share", "views")
"""What a voice was trained with, and a run that goes on from it cannot change."""

BALANCES = ("per_thread", "half_life")
"""What is counted over a whole corpus, of which a voice keeps no times and no chats."""

MISSING_RATE = 3e-4
"""For voices of versions that did not note their learning rate."""

Floats = NDArray[np.float64]
Keep = Callable[[TrainingStep], None]
Loop = Callable[[Keep], Iterator[TrainingStep]]
"""Trains, calling back at every point that is better than those before."""


def material_of(voice: Voice, base: Path) -> Material:
    """Read back what a voice was made of; raise ModelError where that is not there as it was."""
    require_base(voice, base_model.read(base))
    if voice.template.sha256 != voice.template_sha256:
        raise ModelError(f"the chat template of voice {voice.name!r} was changed", "train the voice again")
    encoder = Encoder(base_model.load_tokenizer(base), voice.template)
    examples = _examples(voice)
    return Material(
        speaker=Speaker(voice.persona.speaker_id, voice.persona.name, (), 0, 0, 0, 0),
        kind=voice.kind,
        base=base,
        format=_format(voice),
        encoder=encoder,
        dataset=dataset_of(examples, voice.kind, encoder, voice.recipe.max_length),
        max_length=voice.recipe.max_length,
        language=language_of(text for example in examples["train"] for text in example.targets),
        instruction=voice.instruction,
        dropped={},
        exchanges=tuple(read_exchanges(voice.name)),
        canaries=_canaries(voice),
        rhythm=_rhythm(voice),
        known=read_known(voice.name),
        rewriting=voice.rewriting,
        rewrites=tuple(read_rewrites(voice.name)),
        made=tuple(read_made(voice_folder(voice.name) / DATASET)),
        synthetic=voice.synthetic,
    )


def _format(voice: Voice) -> Format:
    return Format(
        "as the voice has learned it",
        (voice.kind,),
        voice.chat_template,
        tokens=voice.base.added if voice.recipe.added_tokens else (),
        turns=voice.turns,
        recalled=voice.recalled,
    )


def _examples(voice: Voice) -> dict[SplitName, list[Example]]:
    if fingerprint_of(voice_folder(voice.name)) != voice.dataset_sha256:
        raise ModelError(
            f"the dataset of the voice {voice.name!r} is not there as it was learned",
            "train it from the whole corpus, with --replace",
        )
    return {part: list(read_records(dataset_file(voice.name, part), Example)) for part in PARTS}


def _canaries(voice: Voice) -> tuple[Canary, ...]:
    path = voice_folder(voice.name) / CANARIES
    return tuple(read_records(path, Canary)) if path.is_file() else ()


def _rhythm(voice: Voice) -> learning.Learned | None:
    rhythm, compared = read_rhythm(voice.name), read_compared(voice.name)
    return learning.Learned(rhythm, compared) if rhythm and compared else None


def require_fitting(voice: Voice, config: TrainingConfig) -> None:
    """Raise TrainingError where something was asked for that a run which goes on from a voice cannot do.

    Raises ModelError where the voice knows what was forgotten.
    """
    require_fresh(voice.name)
    recipe = voice.recipe
    for name in FIXED:
        if name in config.model_fields_set and getattr(config, name) not in (None, getattr(recipe, name)):
            raise TrainingError(
                f"{name} = {getattr(config, name)} is not that of the voice {voice.name!r}: {getattr(recipe, name)}",
                f"leave {name} out, or train from the whole corpus under another name",
            )
    if config.rewrite and voice.rewriting is None:
        raise TrainingError(
            f"the voice {voice.name!r} has not learned to rewrite, and goes on with what it was trained for",
            "train from the whole corpus under another name, with --rewrite",
        )
    for name in BALANCES:
        if getattr(config, name) is not None:
            raise TrainingError(
                f"{name} is counted over a whole corpus, and the voice {voice.name!r} goes on from what it has learned",
                f"leave {name} out, or train from the whole corpus under another name",
            )


def set_up_again(material: Material, voice: Voice, config: TrainingConfig, rate_share: float) -> Setup:
    """Load a voice's adapter into its base, to be trained at this share of its own peak rate."""
    recipe = voice.recipe
    changed = {name: getattr(recipe, name) for name in FIXED}
    rate = config.learning_rate or (recipe.learning_rate or MISSING_RATE) * rate_share
    setup = set_up_material(material, config.model_copy(update={**changed, "learning_rate": rate, "canaries": 0}))
    if recipe.method == "full":
        full.keep_base(setup.model)
    setup.method.load_state(setup.model, adapter.read(voice_folder(voice.name)))
    return setup


def nats_of_each(model: nn.Module, encoded: Sequence[Encoded], length: int) -> Floats:
    """Return the summed nats of the supervised tokens of each example."""
    found = np.zeros(len(encoded))
    rows = place([len(one.input_ids) for one in encoded], length)
    for held, nats in zip(rows, packed.measure_each(model, pack(encoded, length)), strict=True):
        found[held] = nats.numpy()
    return found


class Further:
    """A run that goes on from a voice's adapter: its steps, and its best point, which the model ends at.

    Such runs are short, so none is saved half-way: interrupted, the voice is as it was.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.steps: list[TrainingStep] = []
        self.best = setup.method.state(setup.model)
        self.kept_step = 0
        self.meter = Meter()

    @property
    def seconds(self) -> float:
        """Of all steps, without what was scored in between."""
        return sum(step.seconds for step in self.steps)

    def learn(self, loop: Loop | None = None) -> Iterator[TrainingStep]:
        """Pass the steps on; loop: by default the one over the material's rows."""
        rows = self.setup.material.dataset.rows
        validation = scored_rows(self.setup.material.dataset, "validation")
        over_rows = partial(fit, self.setup.model, rows["train"], validation, self.setup.planned)
        for step in (loop or over_rows)(self._keep):
            self.steps.append(step)
            self.meter.joules()  # before its counters can have wrapped twice
            yield step
        self.setup.method.load_state(self.setup.model, self.best)

    def _keep(self, step: TrainingStep) -> None:
        self.best, self.kept_step = self.setup.method.state(self.setup.model), step.step


def write_further(name: str, voice: Voice, further: Further, recipe: Recipe, unread: Collection[int]) -> None:
    """Write what a voice has become under a name, whole or not at all; unread: as in ``Outcome``."""
    setup = further.setup
    rows_at_once, rows = setup.planned.rows_per_micro_batch, setup.material.dataset.rows
    held_out = HeldOut(base=likelihood(setup, False), voice=likelihood(setup, True))
    with setup.method.measuring(setup.model, True):
        sharpness = choose(setup.model, rows["validation"], rows_at_once)
    tokens = sum(step.tokens for step in further.steps)
    cost = Cost(further.meter.seconds(), tokens, peak_memory_bytes(), further.meter.joules())
    outcome = Outcome(held_out, sharpness, cost, further.best, further.steps, unread)
    write_voice_folder(name, setup.material, recipe, outcome, voice.fillers)
