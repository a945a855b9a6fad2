"""A finished run becomes a voice's folder, whole or not at all."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from manera.bases import base_model
from manera.errors import ModelError
from manera.files import replacing_folder, write_records
from manera.records import ExampleKind, TrainingStep
from manera.retrieval.own_exchanges import write_index
from manera.training import pictures
from manera.training.material import Material
from manera.voice import adapter
from manera.voice.dataset import write_dataset, write_rewrites, write_unread
from manera.voice.exchanges import read_relations, write_exchanges
from manera.voice.folder import CANARIES, DATASET, LOSSES, MANIFEST, PREFERENCES, TRAINING, voice_folder
from manera.voice.instructions import write_made
from manera.voice.known import write_known
from manera.voice.manifest import Cost, HeldOut, Persona, Sampling, Sharpness, Voice, write_voice
from manera.voice.recipe import Recipe
from manera.voice.rhythm import write_rhythm

if TYPE_CHECKING:
    from torch import Tensor

MAX_NEW_TOKENS: dict[ExampleKind, int] = {"dialogue": 120, "post": 400, "continuation": 200}


def require_free(name: str, replace: bool) -> None:
    """Raise ModelError when the name is a voice's already and may not be replaced, or is no voice's folder.

    What its owner wrote about its relations is kept, so it has to be readable.
    """
    folder = voice_folder(name)
    if not folder.exists():
        return
    if not (folder / MANIFEST).is_file():
        raise ModelError(f"{folder} exists and is not a voice", "choose another name: --name NAME")
    if not replace:
        raise ModelError(f"there is a voice {name!r} already", f"--replace, or another name: --name {name}-2")
    read_relations(name)


class Outcome(NamedTuple):
    """What came of a run; state: the adapter that is kept; unread: training examples that it has not seen."""

    held_out: HeldOut
    sharpness: Sharpness
    cost: Cost
    state: "Mapping[str, Tensor]"
    steps: Sequence[TrainingStep]
    unread: Collection[int]


def write_voice_folder(
    name: str, material: Material, recipe: Recipe, outcome: Outcome, fillers: tuple[str, ...] = ()
) -> None:
    """Write everything that a voice consists of beside its place, then move it there.

    Raises ModelError when it cannot be written; a voice that stood there before is then as it was.
    """
    folder = voice_folder(name)
    base = base_model.read(material.base)
    with _writable(folder), replacing_folder(folder) as new:
        adapter.write(outcome.state, new, recipe, material.base)
        write_records(new / TRAINING, outcome.steps)
        (new / LOSSES).write_text(pictures.losses(outcome.steps), "utf-8")
        write_unread(outcome.unread, new)
        write_exchanges(material.exchanges, read_relations(name), new)
        write_index(material.exchanges, new)
        write_known(material.known, new)
        write_rhythm(material.rhythm, new)
        if material.canaries:
            write_records(new / CANARIES, material.canaries)
        if (folder / PREFERENCES).is_file():  # of the voice that is replaced: they are about the same person
            shutil.copy2(folder / PREFERENCES, new)
        voice = Voice(
            name=folder.name,
            kind=material.kind,
            persona=Persona(material.speaker.name, material.speaker.speaker_id),
            base=base,
            chat_template=material.encoder.template.source,
            template_sha256=material.encoder.template.sha256,
            end_of_turn=material.encoder.template.end_of_turn,
            instruction=material.instruction,
            dataset_sha256=write_dataset(material.dataset.examples, new),
            rewriting=material.rewriting,
            recipe=recipe,
            held_out=outcome.held_out,
            sampling=Sampling(temperature=outcome.sharpness.temperature, max_new_tokens=MAX_NEW_TOKENS[material.kind]),
            sharpness=outcome.sharpness,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            manera_version=version("manera"),
            cost=outcome.cost,
            turns=material.format.turns,
            recalled=material.format.recalled,
            fillers=fillers,
            synthetic=material.synthetic,
        )
        write_rewrites(material.rewrites, new)
        write_made(material.made, new / DATASET)
        write_voice(voice, new)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be written: {error}", "make room there, or choose another place: MANERA_HOME"
        ) from error
