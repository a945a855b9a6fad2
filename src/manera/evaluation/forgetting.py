"""What a voice forgot: held-out loss on general texts and on instructions, written for this project."""

from pathlib import Path

from torch import nn

from manera.dataset.encoding import Encoder
from manera.dataset.template import PROSE, ChatTemplate
from manera.evaluation import intervals
from manera.evaluation.intervals import Interval
from manera.evaluation.ladder import BITS
from manera.evaluation.scoring import nats

TEXTS = Path(__file__).parent / "texts"
MAX_LENGTH = 256
GENERAL = {name: TEXTS / f"{name}.txt" for name in ("general-ru", "general-en", "instructions-ru", "instructions-en")}


def bits_per_byte(model: nn.Module, encoder: Encoder, voice_scale: float, name: str) -> Interval:
    """Score a general text, paragraph by paragraph, as running text."""
    prose = Encoder(encoder.tokenizer, ChatTemplate(PROSE, encoder.template.bos, encoder.template.end_of_turn))
    encoded = [next(prose.windows(paragraph, MAX_LENGTH)) for paragraph in paragraphs(name)]
    sizes = [len(prose.decode(one.input_ids).encode()) for one in encoded]
    return intervals.ratio(nats(model, encoded, voice_scale) * BITS, sizes)


def paragraphs(name: str) -> list[str]:
    """Read a general text."""
    return GENERAL[name].read_text("utf-8").strip().split("\n\n")
