"""What is asked of the engine, and what is made of its answer."""

from pathlib import Path

import msgspec
import pytest

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.dataset.encoding import Encoder
from manera.dataset.template import ChatTemplate
from manera.errors import GenerationError, ModelError
from manera.files import write_records
from manera.generation.engine import Finished, PromptTooLongError, Request, Token, stream
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import (
    Writer,
    base_writer,
    continuation_of,
    persona_note,
    prompt_of,
    prompt_room,
    shown,
    stream_reply,
    voice_writer,
)
from manera.records import Example, ExampleKind, Message
from manera.voice.manifest import Sampling
from tiny import tiny_voice

GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=24)


@pytest.fixture(scope="module")
def writers(tiny_base: Path) -> dict[ExampleKind, Writer]:
    tokenizer = base_model.load_tokenizer(tiny_base)
    kinds: tuple[ExampleKind, ...] = ("dialogue", "post", "continuation")
    return {
        kind: voice_writer(tiny_voice(tiny_base, "anna", kind, "Write a post: {topic}"), tokenizer) for kind in kinds
    }


def test_a_voices_guard_knows_its_fillers(tiny_base: Path) -> None:
    voice = msgspec.structs.replace(tiny_voice(tiny_base, "anna"), fillers=("как бы",))
    guard = voice_writer(voice, base_model.load_tokenizer(tiny_base)).guard
    assert guard is not None
    assert guard.fillers is not None
    assert guard.fillers.search("Это, Как Бы, да")


def test_dialogue_prompt_is_the_encoders(writers: dict[ExampleKind, Writer], tiny_encoder: Encoder) -> None:
    asked = [Message("user", "Привет"), Message("assistant", "Да?"), Message("user", "Как дела?")]
    assert prompt_of(writers["dialogue"], asked, 256).ids == tiny_encoder.prompt(asked)


def test_system_message_opens_a_dialogue_as_plain_text(
    writers: dict[ExampleKind, Writer], tiny_encoder: Encoder
) -> None:
    asked = [Message("user", "Привет")]
    noted = prompt_of(writers["dialogue"], [Message("system", "Be kind."), *asked], 256).ids
    plain = tiny_encoder.prompt(asked)
    assert noted == [plain[0], *tiny_encoder.text("Be kind.\n\n"), *plain[1:]]
    assert noted.count(tiny_encoder.bos) == 1


def test_template_that_knows_system_messages_writes_them_itself(
    writers: dict[ExampleKind, Writer], tiny_encoder: Encoder
) -> None:
    source = tiny_encoder.template.source.replace("{{ 'B' if", "{{ 'S' if message['role'] == 'system' else 'B' if")
    encoder = Encoder(tiny_encoder.tokenizer, ChatTemplate(source))
    asked = [Message("system", "Be kind."), Message("user", "Привет")]
    writer = writers["dialogue"]._replace(encoder=encoder)
    assert prompt_of(writer, asked, 256).ids == encoder.prompt(asked)


def test_persona_note_shows_how_the_persona_writes(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    voice = tiny_voice(tiny_base, "anna")
    assert persona_note(voice) == Message("system", "This is how Anna writes:")
    (tmp_path / "voices" / "anna" / "dataset").mkdir(parents=True)
    said = [Example((Message("user", "ну?"), Message("assistant", f"ответ {number}"))) for number in range(12)]
    write_records(tmp_path / "voices" / "anna" / "dataset" / "train.jsonl", said)
    shown = "\n".join(f"ответ {number}" for number in range(0, 12, 2))
    assert persona_note(voice) == Message("system", f"This is how Anna writes:\n{shown}")


def test_messages_in_a_row_are_one_turn(writers: dict[ExampleKind, Writer], tiny_encoder: Encoder) -> None:
    asked = [Message("user", "Привет"), Message("user", "Как дела?")]
    expected = tiny_encoder.prompt([Message("user", "Привет\nКак дела?")])
    assert prompt_of(writers["dialogue"], asked, 256).ids == expected


def test_a_voice_that_reads_one_turn_is_shown_one(writers: dict[ExampleKind, Writer], tiny_encoder: Encoder) -> None:
    asked = [Message("user", "Привет"), Message("assistant", "Да?"), Message("user", "Как"), Message("user", "дела?")]
    writer = writers["dialogue"]._replace(turns=1)
    assert prompt_of(writer, asked, 256).ids == tiny_encoder.prompt([Message("user", "Как\nдела?")])
    noted = prompt_of(writer, [Message("system", "Be kind."), *asked], 256).ids
    assert noted == prompt_of(writer, [Message("system", "Be kind."), *asked[2:]], 256).ids


def test_post_is_asked_for_as_it_was_learned(writers: dict[ExampleKind, Writer], tiny_base: Path) -> None:
    asked = [Message("user", "before"), Message("assistant", "then"), Message("user", "cats {and} dogs")]
    learned = Encoder(base_model.load_tokenizer(tiny_base), chat_template("post"))
    expected = learned.prompt([Message("user", "Write a post: cats {and} dogs")])
    assert prompt_of(writers["post"], asked, 256).ids == expected


def test_continuation_is_bos_and_text(writers: dict[ExampleKind, Writer], tiny_encoder: Encoder) -> None:
    asked = [Message("user", "Мой дядя")]
    expected = [tiny_encoder.bos, *tiny_encoder.text("Мой дядя")]
    assert prompt_of(writers["continuation"], asked, 256).ids == expected
    assert continuation_of(writers["continuation"], "", 8).ids == [tiny_encoder.bos]
    cut = continuation_of(writers["continuation"], "Мой дядя самых честных правил", 5)
    assert len(cut.ids) == 5
    assert cut.dropped_tokens == len(tiny_encoder.text("Мой дядя самых честных правил")) - 4


def test_oldest_turns_are_dropped_and_the_system_message_stays(
    writers: dict[ExampleKind, Writer], tiny_encoder: Encoder
) -> None:
    system = Message("system", "Be kind.")
    turns = [Message("user" if i % 2 == 0 else "assistant", f"message number {i}") for i in range(9)]
    whole, kept = (prompt_of(writers["dialogue"], [system, *part], 256).ids for part in (turns, turns[4:]))
    prompt = prompt_of(writers["dialogue"], [system, *turns], len(kept))
    assert prompt.ids == kept
    assert prompt.dropped_tokens == len(whole) - len(kept)
    with pytest.raises(PromptTooLongError, match="tokens"):
        prompt_of(writers["dialogue"], [system, *turns], 12)


def test_nothing_to_reply_to_is_an_error(writers: dict[ExampleKind, Writer]) -> None:
    with pytest.raises(GenerationError, match="nothing"):
        prompt_of(writers["dialogue"], [], 256)


def test_reply_leaves_the_prompt_at_least_half() -> None:
    assert prompt_room(4096, 256) == 3840
    assert prompt_room(256, 10_000) == 128


@pytest.mark.parametrize("kind", ["dialogue", "post", "continuation"])
def test_reply_is_the_engines(kind: ExampleKind, writers: dict[ExampleKind, Writer], tiny_engine: LlamaCpp) -> None:
    asked = [Message("user", "Привет")]
    reply = stream_reply(tiny_engine, writers[kind]._replace(guard=None), asked, GREEDY)
    *tokens, finished = reply.tokens
    assert isinstance(finished, Finished)
    assert reply.dropped_tokens == 0
    ids = prompt_of(writers[kind], asked, 232).ids
    *expected, _ = stream(tiny_engine, Request(ids, GREEDY, {"anna": 1.0}))
    assert tokens == [shown(token) for token in expected if isinstance(token, Token)]


def test_base_replies_without_an_adapter(
    tiny_base: Path, writers: dict[ExampleKind, Writer], tiny_engine: LlamaCpp
) -> None:
    base = base_writer(base_model.read(tiny_base), base_model.load_tokenizer(tiny_base))
    asked = [Message("user", "Привет")]
    untuned, tuned = ([*stream_reply(tiny_engine, who, asked, GREEDY).tokens] for who in (base, writers["dialogue"]))
    assert base.model == "tiny-gemma3"
    assert untuned[:-1] != tuned[:-1]


def test_empty_reply_is_only_its_end(tiny_engine: LlamaCpp, writers: dict[ExampleKind, Writer]) -> None:
    whole = "".join(
        t.text
        for t in stream_reply(tiny_engine, writers["post"], [Message("user", "x")], GREEDY).tokens
        if isinstance(t, Token)
    )
    reply = stream_reply(tiny_engine, writers["post"], [Message("user", "x")], GREEDY, stop=(whole[0],))
    assert [type(item) for item in reply.tokens] == [Finished]


def test_line_break_inside_a_message_is_shown_as_one() -> None:
    assert shown(Token("a\rb", -0.5)) == Token("a\nb", -0.5)


def test_changed_template_is_refused(tiny_base: Path) -> None:
    voice = msgspec.structs.replace(tiny_voice(tiny_base, "anna"), chat_template="{{ messages }}")
    with pytest.raises(ModelError, match="template"):
        voice_writer(voice, base_model.load_tokenizer(tiny_base))
