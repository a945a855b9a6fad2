"""Dialogue formats: what each writes, and what is wrong with one that would teach the wrong thing."""

from pathlib import Path

import pytest

from manera.bases import base_model
from manera.bases.templates import chat_template, format_for
from manera.dataset.encoding import Encoder
from manera.dataset.formats.format import FOLDER, OWN, format_names, missing_tokens, read_format
from manera.dataset.template import ChatTemplate, render
from manera.errors import DatasetError
from manera.records import Example, Message

TALK = (Message("user", "Как ты?"), Message("assistant", "Жив."), Message("user", "А."), Message("assistant", "Да."))
WRITTEN = {
    "dialogue": "<s>A:\nКак ты?</s>\nB:\nЖив.</s>\nA:\nА.</s>\nB:\nДа.</s>\n",
    "post": "<s>Как ты?\n\nЖив.</s>А.\n\nДа.</s>",
    "prose": "<s>Как ты?Жив.А.Да.",
    "pairs": "<s>@@ПЕРВЫЙ@@Как ты?@@ВТОРОЙ@@Жив.</s>@@ПЕРВЫЙ@@А.@@ВТОРОЙ@@Да.</s>",
    "instruction": "<s>Инструкция:\nКак ты?\nОтвет:\nЖив.</s>\nИнструкция:\nА.\nОтвет:\nДа.</s>\n",
    "previous-line": "<s>Как ты?\nЖив.</s>\nА.\nДа.</s>\n",
    "instruction-context-output": "<s>### Инструкция:\nКак ты?\n\n### Ответ:\nЖив.</s>\n\n"
    "### Инструкция:\nА.\n\n### Ответ:\nДа.</s>\n\n",
}
MINE = 'about = "mine"\nkinds = ["dialogue"]\n'
BODY = "{% for m in messages %}{{ m['content'] }}{{ eos_token if m['role'] == 'assistant' else '|' }}{% endfor %}"


def text_of(template: ChatTemplate, talk: tuple[Message, ...], answering: bool = False) -> str:
    return "".join(piece.text for piece in render(template, talk, answering))


@pytest.mark.parametrize("name", [name for name in format_names() if name != OWN])
def test_each_format_writes_turns_so_and_only_ever_adds(name: str) -> None:
    template = read_format(name).chat_template("<s>", "</s>")
    assert text_of(template, TALK) == WRITTEN[name]
    for turns in (1, 3):
        assert WRITTEN[name].startswith(text_of(template, TALK[:turns], answering=True))


def test_the_plain_formats_read_as_they_always_did() -> None:
    talk = (*TALK, Message("user", "?"))
    turns = "".join(f"{'B' if m.role == 'assistant' else 'A'}:\n{m.content}<eos>\n" for m in talk)
    assert text_of(chat_template("dialogue"), talk, answering=True) == f"<bos>{turns}B:\n"
    assert text_of(chat_template("post"), TALK[:2]) == "<bos>Как ты?\n\nЖив.<eos>"


@pytest.mark.parametrize("name", ["dialogue", "instruction", "previous-line", "instruction-context-output"])
def test_the_end_of_a_turn_is_learned_in_each(name: str, tiny_base: Path) -> None:
    encoder = Encoder(base_model.load_tokenizer(tiny_base), read_format(name).chat_template())
    encoded = encoder.example(Example(TALK))
    learned = [label for label in encoded.labels if label >= 0]
    assert learned == [*encoder.text("Жив."), encoder.end_of_turn, *encoder.text("Да."), encoder.end_of_turn]


def test_what_is_recalled_has_a_heading_of_its_own() -> None:
    template = read_format("instruction-context-output").chat_template()
    noted = (Message("system", "Вчера шёл дождь."), TALK[0])
    assert text_of(template, noted) == "<bos>### Контекст:\nВчера шёл дождь.\n\n### Инструкция:\nКак ты?\n\n"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("about = 1", "cannot be read"),
        (f'{MINE}template = "{{{{ bos_token }}}}{BODY}"\nsurprise = 1', "surprise"),
        (f'{MINE}template = "{{{{ bos_token }}}}{{{{ messages|length }}}}{BODY}"', "earlier turns otherwise"),
        (f'{MINE}template = "{{{{{{ bos_token }}}}}}{BODY.replace("eos_token", repr("."))}"', "<eos> right behind"),
        (f'{MINE}template = "{{{{ bos_token }}}}{BODY}"\ntokens = ["<a>"]', "never writes <a>"),
        (f'{MINE}template = "{{{{ bos_token }}}}{BODY}"\nturns = 0', "turns = 0"),
        (f'about = "mine"\nkinds = []\ntemplate = "{{{{ bos_token }}}}{BODY}"', "no kind"),
    ],
)
def test_a_format_that_teaches_the_wrong_thing_is_named(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(written, "utf-8")
    with pytest.raises(DatasetError, match=said) as caught:
        read_format(str(path))
    assert "mine.toml" in caught.value.message
    assert caught.value.hint


def test_an_unknown_format_names_those_that_there_are() -> None:
    with pytest.raises(DatasetError, match="no format 'paris'") as caught:
        read_format("paris")
    assert "pairs" in str(caught.value.hint)


def test_tokens_that_a_base_lacks_are_told_or_refused(tmp_path: Path) -> None:
    pairs = read_format("pairs")
    assert missing_tokens(pairs, ["@@ПЕРВЫЙ@@", "<eos>"], "rugpt3", "<eos>") == ("@@ВТОРОЙ@@",)
    path = tmp_path / "mine.toml"
    path.write_text((FOLDER / "pairs.toml").read_text("utf-8") + "\ncan_add_tokens = false\n", "utf-8")
    with pytest.raises(DatasetError, match="rugpt3 has no token @@ПЕРВЫЙ@@, @@ВТОРОЙ@@"):
        missing_tokens(read_format(str(path)), ["<eos>"], "rugpt3", "<eos>")


def test_a_token_that_nobody_declared_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{MINE}template = "{{{{ bos_token }}}}<|me|>{BODY}"', "utf-8")
    assert missing_tokens(read_format(str(path)), ["<|me|>", "<eos>"], "tiny", "<eos>") == ()
    with pytest.raises(DatasetError, match=r"<\|me\|>, which is no token of tiny"):
        missing_tokens(read_format(str(path)), ["<eos>"], "tiny", "<eos>")


def test_a_format_for_another_kind_of_text_is_refused(tiny_base: Path) -> None:
    base = base_model.read(tiny_base)
    with pytest.raises(DatasetError, match="'prose' writes continuation examples, and these are dialogue") as caught:
        format_for("prose", "dialogue", base)
    assert "pairs" in str(caught.value.hint)
    with pytest.raises(DatasetError, match="taught no turns"):
        format_for(OWN, "dialogue", base)
