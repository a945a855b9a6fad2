"""What did it forget: general texts scored with and without the adapter."""

from collections.abc import Iterator, Sequence

from torch import nn

from manera.dataset.encoding import Encoder
from manera.evaluation.general_text import bits_per_byte, paragraphs
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import BASE, VOICE


def measure(texts: Sequence[str], encoder: Encoder, model: nn.Module) -> Iterator[Metric]:
    """Score general texts, by their names, with base and voice."""
    for name in texts:
        for rung in (BASE, VOICE):
            found = bits_per_byte(model, encoder, rung.voice_scale, name)
            n = len(paragraphs(name))
            yield metric(f"forgotten.{name}.{rung.name}", found, "bits_per_byte", n, "lower", "paragraphs")
