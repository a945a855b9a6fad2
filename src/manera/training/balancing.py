"""Balance put to a dataset: of its training part alone; what is held out stays as it was."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from manera.bases import base_model
from manera.dataset.balance import age_weights, room_of, within
from manera.dataset.encoding import Encoder
from manera.errors import TrainingError
from manera.records import Conversation, Example, Message
from manera.training.material import Material, pack_again
from manera.training.replay import bundled_texts, corpus_texts, general_windows
from manera.training.settings import TrainingConfig

CAPPED = "more than one thread may have"


def balance(material: Material, config: TrainingConfig) -> Material:
    """Leave out what a thread has too much of, and let newer text weigh more, as is asked for."""
    if config.per_thread is not None:
        material = _capped(material, config.per_thread)
    if config.half_life is not None:
        material = _weighted(material, config.half_life)
    return material


def learned_tokens(example: Example, encoder: Encoder) -> int:
    """Count the tokens that are learned of an example: the persona's, and what ends their turns."""
    return sum(len(encoder.text(text)) + 1 for text in example.targets)


def _sizes(material: Material) -> list[int]:
    return [learned_tokens(example, material.encoder) for example in material.dataset.examples["train"]]


def _sources(material: Material) -> list[Conversation]:
    """Return the conversation that each training example is of."""
    made, talks = material.dataset.examples["train"], material.learned_from
    if material.kind == "continuation":
        return list(talks)
    return [talks[example.conversation or 0] for example in made]


def _with_examples(material: Material, made: list[Example], dropped: int = 0) -> Material:
    dataset = replace(material.dataset, examples={**material.dataset.examples, "train": made})
    counted = {CAPPED: dropped} if dropped else {}
    return pack_again(replace(material, dataset=dataset, dropped=material.dropped | counted))


def _capped(material: Material, per_thread: float) -> Material:
    made, threads = material.dataset.examples["train"], [talk.thread for talk in _sources(material)]
    sizes = _sizes(material)
    if material.kind == "continuation":
        shorter, dropped = _shortened(made, room_of(threads, sizes, per_thread), threads, material.encoder)
        return _with_examples(material, shorter, dropped)
    kept = within(room_of(threads, sizes, per_thread), threads, sizes, ["\0".join(one.targets) for one in made])
    if not kept:
        raise TrainingError(f"no example has {per_thread:g} tokens or fewer", "give more: --per-thread 20000")
    return _with_examples(material, [made[index] for index in kept], len(made) - len(kept))


def _shortened(
    works: Sequence[Example], room: dict[str, int], threads: Sequence[str], encoder: Encoder
) -> tuple[list[Example], int]:
    """Keep the first paragraphs of each work, one at least and as many as there is room for; count the others."""
    shorter, dropped = [], 0
    for thread, work in zip(threads, works, strict=True):
        paragraphs = work.messages[0].content.split("\n")
        fitting = 0
        for paragraph in paragraphs:
            room[thread] -= len(encoder.text(paragraph)) + 1
            fitting += room[thread] >= 0
        fitting = max(fitting, 1)
        dropped += len(paragraphs) - fitting
        message = Message("assistant", "\n".join(paragraphs[:fitting]))
        shorter.append(msgspec.structs.replace(work, messages=(message,)))
    return shorter, dropped


def _weighted(material: Material, half_life: float) -> Material:
    times = [talk.started_at for talk in _sources(material)]
    weights = age_weights(times, _sizes(material), half_life)
    made = zip(material.dataset.examples["train"], weights, strict=True)
    return _with_examples(material, [msgspec.structs.replace(one, weight=weight) for one, weight in made])


def with_replay(material: Material, config: TrainingConfig) -> Material:
    """Mix general text in, as is asked for."""
    if not config.replay:
        return material
    own, languages = material.dataset.rows["train"].supervised_tokens, base_model.read(material.base).languages
    texts = corpus_texts(config.replay_from) if config.replay_from else bundled_texts(languages)
    wanted = own * config.replay / (1 - config.replay)
    general = general_windows(texts, wanted, material.encoder, material.max_length)
    tokens = sum(window.supervised_tokens for window in general)
    beside = (*material.beside, *general)
    return pack_again(replace(material, beside=beside, replayed=tokens / (own + tokens)))
