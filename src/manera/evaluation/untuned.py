"""Untuned bases on one person's text: how finely each cuts it, and how well each predicts what was held out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.corpus.storage import Corpus
from manera.dataset.building import encode
from manera.dataset.encoding import Encoder
from manera.evaluation.measures.spread import within
from manera.evaluation.scoring import BITS, nats
from manera.model import packed
from manera.records import Example, ExampleKind, Message
from manera.training.material import gather

MAX_TOKENS = 4_000
"""Of held-out text, by the first base's tokenizer."""


class Untuned(msgspec.Struct, frozen=True):
    """One base on the text; tokens_per_character, bits_per_byte: of what the person wrote."""

    base: str
    tokens_per_character: float
    bits_per_byte: float
    bytes: int


def compare(corpus: Corpus, requested: str | None, bases: Sequence[Path]) -> Iterator[Untuned]:
    """Score the same held-out text under each base, in the template that it reads best.

    Raises CorpusError or TrainingError when there is too little of the speaker.
    """
    material = gather(corpus, requested, bases[0], None)
    text = _some(material.dataset.examples["test"], material.kind, material.encoder)
    for base in bases:
        yield _scored(base, text, material.kind, material.max_length)


def _scored(base: Path, text: Sequence[Example], kind: ExampleKind, max_length: int) -> Untuned:
    described = base_model.read(base)
    encoder = Encoder(base_model.load_tokenizer(base), chat_template(kind, described))
    model: Any = base_model.load(base)
    packed.use_matrix_attention(model)
    learned = [message.content for example in text for message in example.messages if message.is_learned]
    count = sum(len(one.encode()) for one in learned)
    told = nats(model, encode(text, kind, encoder, max_length), voice_scale=0).sum()
    tokens = sum(len(encoder.text(one)) for one in learned)
    return Untuned(described.id, tokens / sum(map(len, learned)), float(told * BITS) / count, count)


def _some(examples: Sequence[Example], kind: ExampleKind, encoder: Encoder) -> list[Example]:
    """Choose some of the held-out text, spread over all of it; of running text the beginnings of works."""
    if kind == "continuation":
        room = MAX_TOKENS // len(examples)
        return [Example((Message("assistant", _beginning(one, room, encoder)),)) for one in examples]
    sizes = {place: len(encoder.example(one).input_ids) for place, one in enumerate(examples)}
    return [examples[place] for place in within(sizes, MAX_TOKENS)]


def _beginning(work: Example, tokens: int, encoder: Encoder) -> str:
    text = work.messages[0].content
    return encoder.decode(encoder.text(text)[:tokens])
