"""Which chat template a base is learned in: its own, where it was taught turns."""

from manera.bases.base_model import BaseModel
from manera.dataset.template import DIALOGUE, POST, PROSE, ChatTemplate
from manera.records import ExampleKind

_PLAIN: dict[ExampleKind, str] = {"dialogue": DIALOGUE, "post": POST, "continuation": PROSE}
_END = "<eos>"
"""How the plain templates write the end of a text."""


def chat_template(kind: ExampleKind, base: BaseModel | None = None) -> ChatTemplate:
    """Return the template that a kind of example is learned in; without a base, that of the built-in one."""
    if base is None:
        return ChatTemplate(_PLAIN[kind], end_of_turn=_END)
    if base.chat_template is not None and kind != "continuation":
        return ChatTemplate(base.chat_template, base.bos, base.end_of_turn)
    return ChatTemplate(_PLAIN[kind].replace(_END, base.end_of_text), base.bos, base.end_of_text)
