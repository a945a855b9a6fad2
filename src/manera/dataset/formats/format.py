"""A dialogue format, read from a file and checked.

``NAME.toml`` beside this module holds a chat template in Jinja, in which ``bos_token`` and ``eos_token`` are the
base's own. Anyone can write another one, and train with ``--format FILE.toml``.
"""

import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from manera.dataset.recalled import RecalledForm
from manera.dataset.template import ChatTemplate, render, require_ended, require_prefix_preserving
from manera.errors import DatasetError
from manera.records import ExampleKind, Message, Role

FOLDER = Path(__file__).parent
OWN = "own"
"""The format that a base was taught, which it brings itself."""

_EOS = re.compile(r"\beos_token\b")
_LOOKS_LIKE_A_TOKEN = re.compile(r"<\|[^<>\s]+\|>|</?[A-Za-z_]\w*>|@@\w+@@|\[/?[A-Z]{3,}\]")


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to write messages.

    kinds: of examples that it can write. tokens: special ones that it is written with; those that a base lacks get rows
    of their own, which are trained, unless can_add_tokens is off. turns: how many turns before a reply are read, by
    default as many as fit. recalled: how what memory recalls is written.
    """

    about: str
    kinds: tuple[ExampleKind, ...]
    template: str
    tokens: tuple[str, ...] = ()
    can_add_tokens: bool = True
    turns: int | None = None
    recalled: RecalledForm = "turns"

    def chat_template(self, bos: str = "<bos>", end_of_text: str = "<eos>") -> ChatTemplate:
        """Write the template for a base whose texts begin and end so."""
        source = _EOS.sub(lambda _: repr(end_of_text), self.template)
        return ChatTemplate(source, bos, end_of_text)


def format_names() -> list[str]:
    """Return the names of the formats that manera brings."""
    return [OWN, *sorted(path.stem for path in FOLDER.glob("*.toml"))]


def read_format(name: str) -> Format:
    """Read a format by its name, or from a file of one's own; raise DatasetError where it teaches the wrong thing."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=Format)
    except FileNotFoundError as error:
        known = ", ".join(format_names())
        raise DatasetError(f"there is no format {name!r}", f"formats: {known}; or a file: x.toml") from error
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DatasetError(f"the format {path} cannot be read: {error}", f"compare it with {FOLDER}") from error
    try:
        _check(found)
    except DatasetError as error:
        raise DatasetError(f"the format {name!r}: {error.message}", error.hint) from error
    return found


def missing_tokens(format_: Format, special: Collection[str], base: str, end_of_text: str) -> tuple[str, ...]:
    """Return which of a format's tokens a base lacks, whose own special ones are given.

    Raises DatasetError where they may not be added, or where the format writes one that it does not declare.
    """
    declared = {*special, *format_.tokens}
    template = format_.chat_template("", end_of_text)
    written = {template.end_of_turn, *_LOOKS_LIKE_A_TOKEN.findall(_markup(template))} - {""}
    if unknown := sorted(written - declared):
        raise DatasetError(
            f"the format writes {', '.join(unknown)}, which is no token of {base}",
            f"declare it: tokens = {msgspec.json.encode(unknown).decode()}",
        )
    missing = tuple(token for token in format_.tokens if token not in special)
    if missing and not format_.can_add_tokens:
        raise DatasetError(
            f"the base {base} has no token {', '.join(missing)}, and the format forbids to add any",
            f"choose a base that has them, or another format: {', '.join(format_names())}",
        )
    return missing


def _check(format_: Format) -> None:
    template = format_.chat_template()
    require_prefix_preserving(template)
    if format_.kinds != ("continuation",):
        require_ended(template)
    if not format_.kinds:
        raise DatasetError("it names no kind of example", 'kinds = ["dialogue"]')
    if format_.turns is not None and format_.turns < 1:
        raise DatasetError(f"turns = {format_.turns}, and a reply answers at least one", "turns = 1")
    if unused := [token for token in format_.tokens if token not in _markup(template)]:
        raise DatasetError(f"it never writes {', '.join(unused)}", "leave it out of tokens")


def _markup(template: ChatTemplate) -> str:
    """Return what a template itself writes, of every role and of what is to be answered."""
    roles: tuple[Role, ...] = ("system", "user", "assistant", "user")
    talk = [Message(role, "1") for role in roles]
    pieces = [*render(template, talk), *render(template, talk, add_generation_prompt=True)]
    return "\n".join(piece.text for piece in pieces if piece.message is None)
