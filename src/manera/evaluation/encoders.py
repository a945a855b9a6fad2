"""The two templates of an evaluation, on one tokenizer."""

from pathlib import Path
from typing import NamedTuple

from manera.dataset.building import chat_template
from manera.dataset.encoding import Encoder
from manera.dataset.template import ChatTemplate
from manera.model import base_model
from manera.model.voice import Voice, require_base
from manera.records import ExampleKind

DEFAULT_LENGTH = 512


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
    template = ChatTemplate(voice.chat_template, end_of_turn=voice.end_of_turn)
    encoder = Encoder(base_model.load_tokenizer(base), template)
    plain = Encoder(encoder.tokenizer, chat_template(voice.kind))
    return Encoders(voice.kind, int(str(voice.settings.get("max_length") or DEFAULT_LENGTH)), encoder, plain)
