"""A base's own template, rewritten by its marks: it only ever adds, says nothing by itself, and thinks nothing."""

import pytest

from manera.dataset.formats.format import OWN
from manera.dataset.taught_template import taught
from manera.dataset.template import ChatTemplate, render, require_ended, require_prefix_preserving
from manera.errors import DatasetError
from manera.records import Message

CHATML = """
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- if loop.last %}
            {{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + message.content + '<|im_end|>\\n' }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + message.content + '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
"""In the manner of Qwen 3: a default system message, and a thought behind the last turn only."""

REASONING = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}<|User|>{{ m['content'] }}"
    "{% else %}<|Assistant|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('turns must take turns') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else 'user' }}\n"
    "{{ (first if loop.first else '') + (m['content'] | trim) }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TALK = (Message("user", "А?"), Message("assistant", "Б."), Message("user", "В?"))


def written(template: ChatTemplate, talk: tuple[Message, ...] = TALK) -> str:
    return "".join(piece.text for piece in render(template, talk, add_generation_prompt=True))


def test_a_thought_is_closed_in_every_turn_and_no_default_is_said() -> None:
    template = taught(CHATML, "", "<|im_end|>", ["<|im_start|>", "<|im_end|>"])
    thought = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert written(template) == (
        f"<|im_start|>user\nА?<|im_end|>\n{thought}Б.<|im_end|>\n<|im_start|>user\nВ?<|im_end|>\n{thought}"
    )
    assert template.end_of_turn == "<|im_end|>"
    assert written(template, (Message("system", "кратко"), TALK[0])).startswith(
        "<|im_start|>system\nкратко<|im_end|>\n<|im_start|>user\nА?"
    )


def test_a_thought_that_the_template_leaves_open_is_closed() -> None:
    template = taught(REASONING, "<s>", "<|end|>", ["<s>", "<|end|>", "<|User|>"])
    assert written(template, TALK[:1]) == "<s><|User|>А?<|Assistant|><think>\n\n</think>\n\n"


def test_a_system_message_without_a_form_of_its_own_has_none_here_either() -> None:
    template = taught(GEMMA, "<bos>", "<eos>", ["<bos>", "<eos>", "<end_of_turn>"])
    assert written(template) == (
        "<bos><start_of_turn>user\nА?<end_of_turn>\n<start_of_turn>model\nБ.<end_of_turn>\n"
        "<start_of_turn>user\nВ?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert "system" not in template.source


@pytest.mark.parametrize(("source", "bos"), [(CHATML, ""), (REASONING, "<s>"), (GEMMA, "<bos>")])
def test_it_only_ever_adds_and_ends_every_reply(source: str, bos: str) -> None:
    template = taught(source, bos, "<eos>", ["<|im_end|>", "<|end|>", "<end_of_turn>"])
    require_prefix_preserving(template)
    require_ended(template)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for %}", "cannot be used"),
        ("{{ messages[0]['content'] }}", "every message exactly once"),
        ("{{ raise_exception('only with tools') }}", "only with tools"),
        ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}", "no special token behind"),
    ],
)
def test_a_template_without_marks_is_named_with_what_to_do(source: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        taught(source, "<s>", "</s>", ["</s>"])
    assert "--format" in str(caught.value.hint)
    assert OWN not in str(caught.value.hint)
