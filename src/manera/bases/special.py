"""The special tokens of a base that comes with none written down for it: found once, then kept in ``base.json``."""

from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

import gguf

from manera.bases.metadata import value
from manera.bases.tokenizer import CONTROL, VOCABULARY_KEYS
from manera.dataset.taught_template import taught
from manera.dataset.template import ChatTemplate
from manera.errors import DatasetError, ModelError

_DOCUMENT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>")
"""What is written between the texts that a base was trained on; an instruction base may call the end of a turn EOS."""


class Special(NamedTuple):
    """bos opens everything that a base reads; end_of_text ends what has no turns; the rest is as in BaseModel."""

    bos: str
    end_of_text: str
    end_of_turn: str
    chat_template: str | None = None


def read_special(reader: gguf.GGUFReader) -> Special:
    """Read them from a file; raise ModelError where nothing could end a text.

    A base without a BOS is opened by what ended the text before, which is how it saw texts begin.
    """
    pieces: list[str] = value(reader, VOCABULARY_KEYS[0])
    control = {piece for piece, kind in zip(pieces, value(reader, VOCABULARY_KEYS[2]), strict=True) if kind == CONTROL}
    eos = _token(reader, "eos", pieces)
    ends = [token for token in (eos, *_DOCUMENT_ENDS) if token in control]
    if not ends:
        raise ModelError("the base has no token that ends a text", "use a base that manera bases lists")
    end = next((token for token in ends if token in _DOCUMENT_ENDS), ends[0])
    bos = _token(reader, "bos", pieces) or end
    template = _taught(reader, bos, eos or end, control)
    if template is None:
        return Special(bos, end, end)
    return Special(bos, end, template.end_of_turn, template.source)


def _taught(reader: gguf.GGUFReader, bos: str, eos: str, control: Collection[str]) -> ChatTemplate | None:
    """Return the base's own template, where it was taught turns and they can be told by their marks."""
    field = reader.fields.get("tokenizer.chat_template")
    if field is None:
        return None
    with suppress(DatasetError):
        return taught(field.contents(), bos, eos, control)
    return None


def _token(reader: gguf.GGUFReader, name: str, pieces: list[str]) -> str | None:
    field = reader.fields.get(f"tokenizer.ggml.{name}_token_id")
    return None if field is None else pieces[int(field.contents())]
