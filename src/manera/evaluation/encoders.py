"""The two templates of an evaluation, on one tokenizer."""

from pathlib import Path
from typing import NamedTuple

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.dataset.encoding import Encoder
from manera.records import ExampleKind
from manera.voice.manifest import Voice, require_base


class Encoders(NamedTuple):
    """The template that the voice has learned, and the one that the untrained base reads best.

    max_length: tokens of the longest example that the voice learned from.
    """

    kind: ExampleKind
    max_length: int
    voice: Encoder
    base: Encoder

    def at(self, voice_scale: float) -> Encoder:
        """Return the template for a voice turned up so far; at 0 it is the base."""
        return self.voice if voice_scale else self.base


def open_encoders(voice: Voice, base: Path) -> Encoders:
    """Load the base's tokenizer; raise ModelError when the voice was trained on another base."""
    require_base(voice, base_model.read(base))
    encoder = Encoder(base_model.load_tokenizer(base), voice.template)
    plain = Encoder(encoder.tokenizer, chat_template(voice.kind, voice.base))
    return Encoders(voice.kind, voice.recipe.max_length, encoder, plain)
