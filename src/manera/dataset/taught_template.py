"""The chat template that a base was taught, written so that it only ever adds to what it wrote."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from manera.dataset.template import ChatTemplate
from manera.errors import DatasetError
from manera.records import Role

_CLOSED_THOUGHT = "\n\n</think>\n\n"
"""Nobody wrote down what a person thought, so there is nothing to learn behind ``<think>``."""

_SYSTEM, _USER, _ASSISTANT, _AGAIN = (f"\ue000{number}\ue001" for number in range(4))
_ROLES: dict[str, Role] = {_SYSTEM: "system", _USER: "user", _ASSISTANT: "assistant", _AGAIN: "user"}
"""What stands for messages while the marks around them are found."""

_OTHERWISE = "train with another format: --format dialogue"


class _Marks(NamedTuple):
    """What is written before and after each turn of a role."""

    opening: Mapping[Role, str]
    closing: Mapping[Role, str]


def taught(source: str, bos: str, eos: str, special: Collection[str]) -> ChatTemplate:
    """Rewrite a base's own template by the marks that it writes around turns.

    Many such templates change earlier turns once later ones follow, put a default system message or today's date first,
    or open a thought: all this is left out, the thought closed. special: the tokenizer's special tokens, of which one
    ends a turn. Raises DatasetError where turns have no such marks.
    """
    try:
        marks = _marks(partial(_render, source, bos, eos), bos)
    except (TemplateError, TypeError, ValueError) as error:
        raise DatasetError(f"the base's own chat template cannot be used: {error}", _OTHERWISE) from error
    ends = [token for token in special if token and marks.closing["assistant"].startswith(token)]
    if not ends:
        raise DatasetError("the base's own chat template writes no special token behind a reply", _OTHERWISE)
    return ChatTemplate(_written(marks), bos, max(ends, key=len))


def _marks(render: Callable[..., str], bos: str) -> _Marks:
    """Find them by rendering short conversations; ValueError where what is said cannot be told from them."""
    user_closing = _after(render([_USER]), _USER)
    prompt = _after(render([_USER], answering=True), _USER)
    closing = _after(render([_USER, _ASSISTANT]), _ASSISTANT)
    user_opening = _between(render([_USER, _ASSISTANT, _AGAIN]), _ASSISTANT, _AGAIN).removeprefix(closing)
    opening: dict[Role, str] = {"user": user_opening, "assistant": _closed(prompt.removeprefix(user_closing))}
    closings: dict[Role, str] = {"user": user_closing, "assistant": closing}
    with suppress(TemplateError, TypeError, ValueError):  # else it has no form of its own for system messages
        noted = render([_SYSTEM, _USER])
        between = _between(noted, _SYSTEM, _USER)
        if between.endswith(user_opening) and between != user_opening:
            opening["system"] = noted.partition(_SYSTEM)[0].removeprefix(bos)
            closings["system"] = between.removesuffix(user_opening)
    return _Marks(opening, closings)


def _closed(opening: str) -> str:
    if "<think>" in opening and "</think>" not in opening:
        return opening.rstrip("\n") + _CLOSED_THOUGHT
    return opening


def _written(marks: _Marks) -> str:
    system = f"{{% elif message['role'] == 'system' %}}{_turn(marks, 'system')}" if "system" in marks.opening else ""
    return (
        "{{ bos_token }}{% for message in messages %}"
        f"{{% if message['role'] == 'assistant' %}}{_turn(marks, 'assistant')}{system}"
        f"{{% else %}}{_turn(marks, 'user')}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{_literal(marks.opening['assistant'])}{{% endif %}}"
    )


def _turn(marks: _Marks, role: Role) -> str:
    return f"{_literal(marks.opening[role])}{{{{ message['content'] }}}}{_literal(marks.closing[role])}"


def _literal(text: str) -> str:
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if text else ""


def _render(source: str, bos: str, eos: str, turns: Sequence[str], answering: bool = False) -> str:
    """Render as transformers does, with thoughts turned off."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda _: ""}
    return environment.from_string(source).render(
        messages=[{"role": _ROLES[content], "content": content} for content in turns],
        bos_token=bos,
        eos_token=eos,
        tools=None,
        add_generation_prompt=answering,
        enable_thinking=False,
    )


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _after(text: str, mark: str) -> str:
    _, found, after = text.partition(mark)
    if not found or mark in after:
        raise ValueError("it does not write every message exactly once")
    return after


def _between(text: str, first: str, second: str) -> str:
    between, found, _ = _after(text, first).partition(second)
    if not found:
        raise ValueError("it does not write messages in their order")
    return between
