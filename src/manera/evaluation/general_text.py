"""General texts and instructions, in Russian and English, written for this project: what a voice may forget."""

from pathlib import Path

from torch import nn

from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import read_format
from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.scoring import bits

TEXTS = Path(__file__).parent / "texts"
MAX_LENGTH = 256
GENERAL = {name: TEXTS / f"{name}.txt" for name in ("general-ru", "general-en", "instructions-ru", "instructions-en")}


def bits_per_byte(model: nn.Module, encoder: Encoder, voice_scale: float, name: str) -> Interval:
    """Score a general text, paragraph by paragraph, as running text."""
    template = read_format("prose").chat_template(encoder.template.bos, encoder.template.end_of_turn)
    prose = Encoder(encoder.tokenizer, template)
    encoded = [next(prose.windows(paragraph, MAX_LENGTH)) for paragraph in paragraphs(name)]
    sizes = [len(prose.decode(one.input_ids).encode()) for one in encoded]
    return intervals.ratio(bits(model, encoded, voice_scale), sizes)


def paragraphs(name: str) -> list[str]:
    """Read a general text."""
    return GENERAL[name].read_text("utf-8").strip().split("\n\n")
