"""A voice goes on from a corpus that has grown: new text, and as much of the old, from the adapter that it has.

What the voice held out stays held out: its examples are taken from its own folder, and of the corpus only what it did
not know is split anew. What came of it replaces the voice only where it is worse on neither held-out text.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from manera.corpus.conversations import conversations
from manera.corpus.keys import key_of, keys_of
from manera.corpus.speakers import choose_speaker
from manera.corpus.splitting import HELD_OUT_SHARE, REPEATED, Parts, require_enough, split, without_texts
from manera.corpus.storage import Corpus
from manera.dataset.building import build, dataset_of, encode
from manera.dataset.encoding import IGNORE_INDEX, Encoded
from manera.dataset.examples import example_kind, messages_of
from manera.errors import TrainingError
from manera.records import Example, TrainingStep
from manera.retrieval.sentences import embed
from manera.rhythm import learning
from manera.training import instructions
from manera.training.again import (
    Floats,
    Further,
    material_of,
    nats_of_each,
    require_fitting,
    set_up_again,
    write_further,
)
from manera.training.asking import with_pairs, with_views
from manera.training.balancing import with_replay
from manera.training.context import with_context
from manera.training.going_on import REFUSALS, Change, Growing, Grown, Refusal
from manera.training.loop import rows_read
from manera.training.material import Material, pack_again, unread
from manera.training.result import require_free
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup
from manera.voice.dataset import PARTS, read_unread
from manera.voice.exchanges import exchanges_of
from manera.voice.folder import DATASET, voice_folder
from manera.voice.manifest import Voice, read_voice

RATE_SHARE = 0.5
"""Of the peak rate at which the voice was trained at first: it knows the manner already."""

BITS = 1 / np.log(2)

Bound = Callable[[Floats, Floats, int, Sequence[int]], tuple[float, float, float]]
"""Divides two sums over conversations and bounds the ratio: ``evaluation.measures.intervals.ratio``."""


class _HeldOut(NamedTuple):
    """Encoded examples, the bytes of what is scored, and the conversation of each."""

    encoded: list[Encoded]
    bytes: Floats
    groups: list[int]


def grow(
    name: str,
    corpus: Corpus,
    config: TrainingConfig,
    base: Path,
    bound: Bound,
    into: str | None = None,
    replace: bool = False,
) -> Generator[Growing | TrainingStep | Grown]:
    """Train a voice on what is new in a corpus, and write its folder whole or not at all.

    into: another name to write it under; then the voice itself stays as it is. Interrupted, it leaves everything as it
    was. Raises ManeraError: another speaker, kind or base, too little new text, a name that is taken.
    """
    require_free(into or name, replace or into in (None, name))
    voice = read_voice(name)
    require_fitting(voice, config)
    old = material_of(voice, base)
    as_before = config.model_copy(update={"context_share": voice.recipe.context_share, "views": voice.recipe.views})
    new = with_views(with_context(new_material(corpus, old), as_before), as_before, instructions.nothing)
    together = joined(old, new, read_unread(name))
    kept = instructions.maker(voice_folder(name) / DATASET, None)
    setup = set_up_again(with_replay(with_pairs(together, kept), config), voice, config, RATE_SHARE)
    yield _growing(name, setup, together, new)
    held_out = {"old": _held_out(old), "new": _held_out(new)}
    before = _nats(setup, held_out)
    further = Further(setup)
    yield from further.learn()
    after = _nats(setup, held_out)
    changes = {part: _change(held, before[part], after[part], bound) for part, held in held_out.items()}
    refusal = _refusal(changes["old"], changes["new"])
    if refusal is None:
        _write(into or name, voice, further)
    yield Grown(
        voice=into or name,
        old=changes["old"],
        new=changes["new"],
        steps=len(further.steps),
        kept_step=further.kept_step,
        seconds=further.seconds,
        refusal=refusal,
        because=refusal and REFUSALS[refusal],
    )


def new_material(corpus: Corpus, old: Material) -> Material:
    """Gather what a voice did not know of a corpus, split by itself.

    A long text that it held out is not learned now, and one that it learned is not held out now.
    """
    speaker = choose_speaker(corpus.manifest, old.speaker.speaker_id)
    silence = corpus.manifest.silence_seconds
    fresh = (utterance for utterance in corpus.told() if key_of(utterance) not in old.known)
    parts = split(conversations(fresh, silence, embed), speaker.speaker_id, HELD_OUT_SHARE)
    divided, repeated = _unlike(parts.conversations, speaker.speaker_id, old)
    require_enough(divided["train"], speaker.speaker_id, f"what is new of {speaker.name}")
    kind = example_kind(divided["train"], speaker.speaker_id)
    if kind != old.kind:
        raise TrainingError(
            f"the voice has learned {old.kind}, and what is new is {kind}",
            "train another voice from it: manera train CORPUS --name NAME",
        )
    dataset = build(divided, speaker.speaker_id, kind, old.encoder, old.max_length, old.instruction, old.format.turns)
    for part in PARTS:
        if not dataset.scored_bytes[part]:
            raise TrainingError(f"too little is new to have any of it in {part}", "come back when there is more")
    return replace(
        old,
        dataset=dataset,
        dropped=parts.dropped | dataset.dropped | ({REPEATED: repeated} if repeated else {}),
        learned_from=tuple(divided["train"]),
        exchanges=tuple(exchanges_of(divided["train"], speaker.speaker_id)),
        rhythm=learning.learn(corpus.told(), speaker.speaker_id) if kind == "dialogue" else None,
        known=keys_of(corpus.utterances()),
        synthetic=tuple(dict.fromkeys((*old.synthetic, *corpus.manifest.synthetic))),
    )


def _unlike(parts: Parts, speaker_id: str, old: Material) -> tuple[Parts, int]:
    learned, *held_out = (_texts(old.dataset.examples[part]) for part in PARTS)
    divided: Parts = {}
    repeated = 0
    for part, talks in parts.items():
        texts = held_out[0] | held_out[1] if part == "train" else learned
        divided[part], dropped = without_texts(talks, speaker_id, texts)
        repeated += dropped
    return divided, repeated


def _texts(examples: Sequence[Example]) -> set[str]:
    """Return what the speaker wrote: whole, and message by message."""
    whole = {text for example in examples for text in example.targets}
    return whole | {message for text in whole for message in messages_of(text)}


def joined(old: Material, new: Material, never_read: frozenset[int]) -> Material:
    """Put new material beside the old, of which as much is learned again as is new, and first what was never read."""
    examples = {
        part: [*old.dataset.examples[part], *_renumbered(new.dataset.examples[part], old.dataset.examples[part])]
        for part in PARTS
    }
    encoded = encode(old.dataset.examples["train"], old.kind, old.encoder, old.max_length)
    wanted = new.dataset.rows["train"].supervised_tokens
    order = sorted(
        np.random.default_rng(0).permutation(len(encoded)).tolist(), key=lambda place: place not in never_read
    )
    again = set()
    for place in order:
        if wanted > 0:
            again.add(place)
            wanted -= encoded[place].supervised_tokens
    material = replace(
        old,
        dataset=dataset_of(examples, old.kind, old.encoder, old.max_length),
        dropped=new.dropped,
        exchanges=(*old.exchanges, *new.exchanges),
        rhythm=new.rhythm or old.rhythm,
        known=old.known | new.known,
        synthetic=new.synthetic,
        left_out=frozenset(range(len(encoded))) - again,
    )
    return pack_again(material)


def _renumbered(new: Sequence[Example], old: Sequence[Example]) -> list[Example]:
    """Count the conversations on from those of the old examples."""
    first = max((example.conversation or 0 for example in old), default=-1) + 1
    return [
        example
        if example.conversation is None
        else msgspec.structs.replace(example, conversation=first + example.conversation)
        for example in new
    ]


def _growing(name: str, setup: Setup, together: Material, new: Material) -> Growing:
    tokens, all_tokens = (one.dataset.rows["train"].supervised_tokens for one in (new, together))
    return Growing(
        voice=name,
        kind=new.kind,
        examples={part: len(made) for part, made in new.dataset.examples.items()},
        new_tokens=tokens,
        known_tokens=all_tokens - tokens,
        dropped=new.dropped,
        steps=setup.planned.steps,
    )


def _held_out(material: Material) -> _HeldOut:
    examples = material.dataset.examples["test"]
    encoded = encode(examples, material.kind, material.encoder, material.max_length)
    learned = ([label for label in one.labels if label != IGNORE_INDEX] for one in encoded)
    sizes = [float(len(material.encoder.decode(labels).encode())) for labels in learned]
    groups = list(range(len(encoded)))
    if len(examples) == len(encoded):
        groups = [place if one.conversation is None else one.conversation for place, one in enumerate(examples)]
    return _HeldOut(encoded, np.array(sizes), groups)


def _nats(setup: Setup, held_out: dict[str, _HeldOut]) -> dict[str, Floats]:
    with setup.method.measuring(setup.model, True):
        return {
            part: nats_of_each(setup.model, held.encoded, setup.material.max_length) for part, held in held_out.items()
        }


def _change(held: _HeldOut, before: Floats, after: Floats, bound: Bound) -> Change:
    size = held.bytes.sum()
    difference, low, high = bound((after - before) * BITS, held.bytes, 0, held.groups)
    return Change(
        float(before.sum() * BITS / size),
        float(after.sum() * BITS / size),
        difference,
        low if np.isfinite(low) else None,
        high if np.isfinite(high) else None,
        len(set(held.groups)),
    )


def _write(name: str, voice: Voice, further: Further) -> None:
    setup, before = further.setup, voice.recipe
    recipe = msgspec.structs.replace(
        setup.recipe(len(further.steps), further.kept_step),
        canaries=before.canaries,
        preferences=before.preferences,
        preferred_at=before.preferred_at,
        grown=before.grown + 1,
    )
    read = rows_read(len(setup.material.dataset.rows["train"]), setup.planned, further.kept_step)
    write_further(name, voice, further, recipe, unread(setup.material, read))


def _refusal(old: Change, new: Change) -> Refusal | None:
    if old.is_worse:
        return "old_worse"
    if new.is_worse:
        return "new_worse"
    return "new_no_better" if new.difference >= 0 else None
