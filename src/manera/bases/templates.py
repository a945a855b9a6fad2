"""Which chat template a base is learned in: by default its own, where it was taught turns."""

from manera.bases.base_model import BaseModel
from manera.dataset.formats.format import OWN, Format, format_names, read_format
from manera.dataset.template import ChatTemplate
from manera.errors import DatasetError
from manera.records import ExampleKind

_PLAIN: dict[ExampleKind, str] = {"dialogue": "dialogue", "post": "post", "continuation": "prose"}
"""The formats of bases that were taught no turns."""


def default_format(kind: ExampleKind, base: BaseModel | None = None) -> str:
    """Name the format that a kind of example is learned in; without a base, that of the built-in one."""
    is_taught = base is not None and base.chat_template is not None and kind != "continuation"
    return OWN if is_taught else _PLAIN[kind]


def format_for(name: str | None, kind: ExampleKind, base: BaseModel) -> Format:
    """Return a format by its name, by default the base's or the plain one of a kind.

    Raises DatasetError where there is none of the name, where the base was taught none of its own, or where it cannot
    write this kind of example.
    """
    name = name or default_format(kind, base)
    if name != OWN:
        found = read_format(name)
    elif base.chat_template is None:
        raise DatasetError(f"{base.id} was taught no turns", f"--format {_PLAIN[kind]}")
    else:
        found = Format("what the base was taught", ("dialogue", "post"), base.chat_template)
    if kind not in found.kinds:
        fitting = [one for one in format_names() if one != OWN and kind in read_format(one).kinds]
        raise DatasetError(
            f"the format {name!r} writes {' and '.join(found.kinds)} examples, and these are {kind} examples",
            f"--format {' or '.join(fitting)}",
        )
    return found


def template_of(format_: Format, base: BaseModel) -> ChatTemplate:
    """Write a format for a base; where it is the base's own, its own end of turn ends one."""
    ends = base.end_of_turn if format_.template == base.chat_template else base.end_of_text
    return format_.chat_template(base.bos, ends)


def chat_template(kind: ExampleKind, base: BaseModel | None = None) -> ChatTemplate:
    """Return the template of the default format; without a base, that of the built-in one."""
    if base is None:
        return read_format(_PLAIN[kind]).chat_template()
    return template_of(format_for(None, kind, base), base)
