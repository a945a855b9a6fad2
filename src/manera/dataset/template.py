"""How messages become one string: a Jinja chat template, kept with the voice that learned it."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from manera.errors import DatasetError
from manera.records import Message


class ChatTemplate(msgspec.Struct, frozen=True):
    """A Jinja template, and the special tokens that it may use.

    end_of_turn closes every assistant turn; it is learned, and generation stops at it.
    """

    source: str
    bos: str = "<bos>"
    end_of_turn: str = "<eos>"

    @property
    def sha256(self) -> str:
        """Hash everything that decides how messages become tokens."""
        return hashlib.sha256("\0".join((self.source, self.bos, self.end_of_turn)).encode()).hexdigest()


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a rendered conversation: the template's own text, or the content of a message."""

    text: str
    message: int | None = None


def render(template: ChatTemplate, messages: Sequence[Message], add_generation_prompt: bool = False) -> list[Piece]:
    """Render messages as pieces that keep apart what the template wrote and what people wrote.

    People's words are put in after Jinja has run, so nothing in them is read as markup. Raises DatasetError
    when the template fails, or changes, repeats or leaves out a message.
    """
    stand_ins = [f"\ue000{index}\ue001" for index in range(len(messages))]
    shown = [{"role": m.role, "content": mark} for m, mark in zip(messages, stand_ins, strict=True)]
    try:
        rendered = _compiled(template.source).render(
            messages=shown, bos_token=template.bos, add_generation_prompt=add_generation_prompt
        )
    except TemplateError as error:
        raise DatasetError(f"the chat template cannot be rendered: {error}", "use the voice's own template") from error
    pieces: list[Piece] = []
    for index, (mark, message) in enumerate(zip(stand_ins, messages, strict=True)):
        before, found, rendered = rendered.partition(mark)
        if not found or mark in rendered:
            raise DatasetError(
                f"the chat template does not write message {index} exactly once, in order",
                "use a template that keeps every message as it is",
            )
        pieces += [Piece(before), Piece(message.content, index)]
    return [piece for piece in (*pieces, Piece(rendered)) if piece.text]


def require_prefix_preserving(template: ChatTemplate) -> None:
    """Raise DatasetError unless every prompt is how the conversation that grows out of it begins.

    Otherwise what was learned under one beginning would be asked for under another.
    """
    talk = [Message(role, role) for role in ("user", "assistant", "user", "assistant")]
    whole = "".join(piece.text for piece in render(template, talk))
    for turns in (1, 3):
        if not whole.startswith("".join(piece.text for piece in render(template, talk[:turns], True))):
            raise DatasetError(
                "the chat template writes earlier turns otherwise once later ones follow",
                "use a template that only ever adds to what it wrote",
            )


def require_ended(template: ChatTemplate) -> None:
    """Raise DatasetError unless the end-of-turn token stands right behind every turn of the persona."""
    pieces = render(template, [Message(role, role) for role in ("user", "assistant", "user", "assistant")])
    for place, piece in enumerate(pieces):
        after = pieces[place + 1].text if place + 1 < len(pieces) else ""
        if piece.message in (1, 3) and not after.startswith(template.end_of_turn):
            raise DatasetError(
                f"the chat template does not write {template.end_of_turn} right behind the assistant's turn",
                "without it the voice would never learn to stop",
            )


@lru_cache(maxsize=64)
def knows_system(template: ChatTemplate) -> bool:
    """Tell whether a template has a form for system messages, other than that of the other side's turns."""
    return render(template, [Message("system", "1")]) != render(template, [Message("user", "1")])


@lru_cache(maxsize=8)
def _compiled(source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(keep_trailing_newline=True)
    return environment.from_string(source)
