"""The prompts of a voice as other programs make them: a Jinja template that prepares messages, and Ollama's in Go."""

import json
from collections.abc import Mapping
from itertools import product
from typing import NamedTuple, get_args

from manera.dataset.examples import MESSAGE_BOUNDARY
from manera.dataset.template import ChatTemplate, knows_system, render
from manera.errors import ExportError
from manera.generation.reply import AFTER_NOTES, BETWEEN_NOTES
from manera.records import Message, Role
from manera.voice.manifest import Voice

_TOPIC = "{topic}"
_LAST = "messages[-1]['content']"
_CONTINUATION = f"{{{{ bos_token }}}}{{{{ {_LAST} }}}}"
_BOS = "{{ bos_token }}"
_JOIN_BURSTS = (
    "{%- set turns = namespace(joined=[]) -%}"
    "{%- for message in messages -%}"
    "{%- if turns.joined and message['role'] == turns.joined[-1]['role'] and message['role'] != 'system' -%}"
    "{%- set burst = turns.joined[-1]['content'] + " + json.dumps(MESSAGE_BOUNDARY) + " + message['content'] -%}"
    "{%- set turns.joined = turns.joined[:-1] + [{'role': message['role'], 'content': burst}] -%}"
    "{%- else -%}"
    "{%- set turns.joined = turns.joined + [{'role': message['role'], 'content': message['content']}] -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{% set messages = turns.joined %}"
)


def jinja_template(voice: Voice) -> str:
    """Return a template for messages as clients send them: it does first what ``generation.reply`` does.

    A dialogue's bursts are joined, a post's topic is put into its instruction, running text is only continued.
    """
    if voice.kind == "continuation":
        return _CONTINUATION
    if voice.kind == "dialogue":
        return _JOIN_BURSTS + _read(voice.turns) + _with_notes(voice.template)
    asked = f" + {_LAST} + ".join(json.dumps(part, ensure_ascii=False) for part in _around_topic(voice))
    return f"{{% set messages = [{{'role': 'user', 'content': {asked}}}] %}}{voice.chat_template}"


def _read(turns: int | None) -> str:
    """Leave out earlier turns, where the voice has learned to answer so many."""
    if turns is None:
        return ""
    notes, said = (f"(messages | {which}attr('role', 'equalto', 'system') | list)" for which in ("select", "reject"))
    return f"{{% set messages = {notes} + {said}[-{turns}:] %}}"


def _with_notes(template: ChatTemplate) -> str:
    """Let system messages open a dialogue as plain text where the template has no form for them."""
    if knows_system(template):
        return template.source
    if not template.source.startswith(_BOS):
        raise ExportError("the voice's chat template does not begin with bos_token", "train the voice again")
    notes = (
        "{% set notes = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | list %}"
        "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}"
    )
    between, after = json.dumps(BETWEEN_NOTES), json.dumps(AFTER_NOTES)
    written = f"{{% if notes %}}{{{{ notes | join({between}) + {after} }}}}{{% endif %}}"
    return notes + _BOS + written + template.source.removeprefix(_BOS)


def _around_topic(voice: Voice) -> list[str]:
    return (_TOPIC if voice.instruction is None else voice.instruction).split(_TOPIC)


class Marks(NamedTuple):
    """What a template writes before and after a message of each role, and before the reply."""

    opening: Mapping[Role, str]
    closing: Mapping[Role, str]
    generation_prompt: str


def marks_of(template: ChatTemplate) -> Marks:
    """Find a template's marks by rendering with it.

    Raises ExportError when what it writes depends on more than each message's role.
    """
    begun = len(_text(template, []))
    opening: dict[Role, str] = {}
    closing: dict[Role, str] = {}
    for role in get_args(Role):
        before, _, after = _text(template, [Message(role, "\0")]).partition("\0")
        opening[role], closing[role] = before[begun:], after
    marks = Marks(opening, closing, _text(template, [], True)[begun:])
    for length in (1, 2, 3):
        for roles in product(get_args(Role), repeat=length):
            messages = [Message(role, f"{place}") for place, role in enumerate(roles)]
            written = "".join(opening[m.role] + m.content + closing[m.role] for m in messages)
            if _text(template, messages, True)[begun:] != written + marks.generation_prompt:
                raise ExportError(
                    "the voice's chat template cannot be written for Ollama: what it writes depends on more than "
                    "each message's role",
                    "export it as gguf, which carries the template itself",
                )
    return marks


def _text(template: ChatTemplate, messages: list[Message], add_generation_prompt: bool = False) -> str:
    return "".join(piece.text for piece in render(template, messages, add_generation_prompt))


def go_template(voice: Voice) -> str:
    """Write the voice's prompts as Ollama's template, without the BOS that Ollama adds itself.

    https://github.com/ollama/ollama/blob/main/docs/template.md
    """
    if voice.kind == "continuation":
        return _go_last("{{ .Content }}")
    if voice.turns is not None:
        raise ExportError(
            f"the voice reads {voice.turns} turns before a reply, which Ollama's template cannot say",
            "export it as gguf, which carries the template itself",
        )
    template = voice.template
    marks = marks_of(template)
    if voice.kind == "post":
        asked = "{{ .Content }}".join(map(_go_text, _around_topic(voice)))
        turn = _go_text(marks.opening["user"]) + asked + _go_text(marks.closing["user"])
        return _go_last(turn) + _go_text(marks.generation_prompt)
    assistant, user, system = (_go_turn(marks, role) for role in ("assistant", "user", "system"))
    if not knows_system(template):
        system = "{{ .Content }}" + AFTER_NOTES
    others = user if user == system else f'{{{{ if eq .Role "system" }}}}{system}{{{{ else }}}}{user}{{{{ end }}}}'
    turn = f'{{{{ if eq .Role "assistant" }}}}{assistant}{{{{ else }}}}{others}{{{{ end }}}}'
    return f"{{{{ range .Messages }}}}{turn}{{{{ end }}}}{_go_text(marks.generation_prompt)}"


def _go_turn(marks: Marks, role: Role) -> str:
    return _go_text(marks.opening[role]) + "{{ .Content }}" + _go_text(marks.closing[role])


def _go_last(turn: str) -> str:
    """Write the last message only: the one after which nothing is left."""
    return (
        "{{ range $place, $message := .Messages }}{{ if eq (len (slice $.Messages $place)) 1 }}"
        f"{turn}{{{{ end }}}}{{{{ end }}}}"
    )


def _go_text(text: str) -> str:
    """Write text as itself, or as a Go string where the template or the Modelfile would take it for markup."""
    plain = "{{" not in text and '"' not in text and not text.endswith("{")
    return text if plain else f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"
