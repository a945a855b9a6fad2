"""Voices of pretrained bases on the text that a search is judged by, in the same bits per byte."""

from collections.abc import Iterable

import msgspec
import torch
from torch import nn

from manera.bases import base_model
from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.dataset.packing import pack
from manera.errors import TrainingError
from manera.lab.scoring import cut
from manera.lab.texts import TextSplits
from manera.model import packed
from manera.training import methods
from manera.voice import adapter
from manera.voice.dataset import training_texts
from manera.voice.folder import voice_folder
from manera.voice.manifest import read_voice

LEAD, SPAN = 256, 256
MIN_LINE = 60
"""Characters of a line that nobody writes twice."""

MAX_SEEN = 0.02
"""Of such lines of the test text, that a voice may have among what it learned: sayings and quotations."""

ROWS_AT_ONCE = 4


class Pretrained(msgspec.Struct, frozen=True):
    """What a voice is worth on the test text, and its base before it learned; tokens, seconds: that it learned."""

    name: str
    base: str
    test_bits_per_byte: float
    untuned_bits_per_byte: float
    parameters: int
    tokens: int
    seconds: float


def measure(name: str, texts: TextSplits) -> Pretrained:
    """Measure a voice on the test text; raise TrainingError where it has learned from it, ModelError."""
    voice = read_voice(name)
    _require_unseen(name, texts)
    base = base_model.prepare_for(voice.base)
    model = methods.opened(base, voice.recipe, adapter.read(voice_folder(name)))
    packed.use_matrix_attention(model)
    encoded, size = _rows(Encoder(base_model.load_tokenizer(base), voice.template), texts.test)
    rows = pack(encoded, LEAD + SPAN)
    with methods.measuring(model):
        learned = packed.measure(model, rows, ROWS_AT_ONCE).bits_per_byte(size)
    with methods.measuring(model, with_learned=False):
        untuned = packed.measure(model, rows, ROWS_AT_ONCE).bits_per_byte(size)
    return Pretrained(
        name,
        voice.base.id,
        test_bits_per_byte=learned,
        untuned_bits_per_byte=untuned,
        parameters=_parameters(model),
        tokens=voice.cost.tokens if voice.cost else 0,
        seconds=voice.cost.seconds if voice.cost else 0.0,
    )


def _parameters(model: nn.Module) -> int:
    """Count the weights; those that an adapter lies over are kept as buffers."""
    frozen = (buffer for buffer in model.buffers() if buffer.ndim > 1)
    return sum(weight.numel() for weight in (*model.parameters(), *frozen))


def _rows(encoder: Encoder, texts: Iterable[str]) -> tuple[list[Encoded], int]:
    """Cut texts into rows as the lab's Transformer reads them; return the bytes of the text too."""
    written = list(texts)
    ids = [one for text in written for one in (encoder.bos, *encoder.text(text), encoder.end_of_turn)]
    rows, is_asked = cut(torch.tensor(ids), LEAD, SPAN, is_opened=True)
    labels = rows.where(is_asked, torch.tensor(IGNORE_INDEX))
    made = [Encoded(row, label) for row, label in zip(rows.tolist(), labels.tolist(), strict=True)]
    return made, sum(len(text.encode()) for text in written)


def _require_unseen(name: str, texts: TextSplits) -> None:
    lines = _lines(texts.test)
    seen = len(lines & _lines(training_texts(name)))
    if seen > MAX_SEEN * len(lines):
        raise TrainingError(
            f"the voice {name!r} has learned {seen:,} of {len(lines):,} lines of the text that it would be judged by",
            "train one on this very corpus, so that the same text is held out: manera train CORPUS",
        )


def _lines(texts: Iterable[str]) -> set[str]:
    return {line.strip() for text in texts for line in text.splitlines() if len(line.strip()) >= MIN_LINE}
