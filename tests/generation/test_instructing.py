"""Questions and drafts by a real server over HTTP, with or without a chat, and by the base itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

import completions_server
from manera.cli.instructing import asking
from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation.answers import open_answers
from manera.generation.instructing import by_base, by_server, find_server
from manera.generation.instruction_prompts import shown, told
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.remote import KEY_VARIABLE
from manera.generation.server import Server, is_elsewhere
from manera.training.checkpoint import ANSWERS
from manera.training.settings import TrainingConfig
from manera.voice.instructions import Kind
from running import running

POST = "Утром в трамвае было тесно, и я пошёл пешком."


@pytest.fixture
def completions(tiny_engine: LlamaCpp, tiny_encoder: Encoder) -> Iterator[str]:
    """A server that has completions and no chat, as a base without a template is served."""
    encode = tiny_encoder.text
    app = completions_server.application(tiny_engine, (), encode=lambda text: [tiny_encoder.bos, *encode(text)][:120])
    with running(app) as url:
        yield url


class Waiting:
    """A clock whose time passes at once when somebody waits."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def asked(server: Server, kind: Kind, texts: list[str], path: Path) -> list[str]:
    with open_answers(path) as kept:
        return list(by_server(server, kept, kind, texts, Waiting()))


def test_a_server_with_a_chat_is_asked_there(api_url: str, tmp_path: Path) -> None:
    server = find_server(api_url, None)
    assert (server.url, server.model) == (f"{api_url}/v1", "tiny-gemma3")
    first, again = (asked(server, "question", [POST], tmp_path / name) for name in ("one.jsonl", "other.jsonl"))
    assert first == again


def test_a_server_without_a_chat_continues_what_a_base_is_shown(completions: str, tmp_path: Path) -> None:
    server = find_server(f"{completions}/v1/", None)
    assert server.model == completions_server.BASE
    (answer,) = asked(server, "question", [POST], tmp_path / "answers.jsonl")
    assert answer == answer.strip()
    assert "\n" not in answer


def test_answers_come_in_the_order_of_the_texts_however_many_are_asked_at_once(
    completions: str, tmp_path: Path
) -> None:
    texts = [f"{POST} {number}" for number in range(6)]
    server = find_server(completions, None)
    alone = [asked(server, "question", [text], tmp_path / f"{place}.jsonl")[0] for place, text in enumerate(texts)]
    assert asked(server, "question", texts, tmp_path / "together.jsonl") == alone


def test_a_server_that_breaks_is_named_and_what_it_answered_is_not_asked_again(
    tiny_engine: LlamaCpp, tiny_encoder: Encoder, tmp_path: Path
) -> None:
    def app(fails_after: int | None) -> FastAPI:
        return completions_server.application(
            tiny_engine, (), encode=lambda text: tiny_encoder.text(text)[:100], fails_after=fails_after
        )

    texts = [f"{POST} {number}" for number in range(9)]
    came: list[str] = []
    with running(app(7)) as url:
        ask = asking(TrainingConfig(instructions_from=url), tmp_path, tmp_path, Waiting())
        with pytest.raises(GenerationError, match=f"{url}/v1/completions answers 503") as caught:
            came.extend(ask("question", texts))
    assert f"{len(came)} of 9 questions that posts answer are kept" in str(caught.value.hint)
    with open_answers(tmp_path / ANSWERS) as kept:
        assert len(kept) == 7
    with running(app(2)) as url:
        ask = asking(TrainingConfig(instructions_from=url), tmp_path, tmp_path, Waiting())
        assert list(ask("question", texts))[: len(came)] == came


def test_a_server_that_is_not_there_or_wants_a_key_or_is_something_else_is_named(
    tiny_engine: LlamaCpp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(GenerationError, match="cannot be reached"):
        find_server("http://127.0.0.1:9", None)
    with pytest.raises(GenerationError, match="is no address of a server"):
        find_server("127.0.0.1:9", None)
    monkeypatch.setenv(KEY_VARIABLE, "wrong")
    app = completions_server.application(tiny_engine, (), key="right")
    with running(app) as url, pytest.raises(GenerationError, match="answers 401") as caught:
        asked(find_server(url, None), "question", [POST], tmp_path / "answers.jsonl")
    assert KEY_VARIABLE in str(caught.value.hint)


def test_the_base_itself_goes_on_where_examples_show_it_what_to_do(
    tiny_engine: LlamaCpp, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = "Суп."
    monkeypatch.setattr("manera.generation.instruction_prompts.SHOWN", {("ru", "question"): ()})
    assert shown("question", short) == "Текст: Суп.\nВопрос к тексту:"
    answer = by_base(tiny_engine, tiny_encoder, "question", short)
    assert "\n" not in answer
    assert answer == by_base(tiny_engine, tiny_encoder, "question", short)


def test_a_text_is_asked_about_in_its_own_language() -> None:
    assert "вопрос" in told("question", POST)
    assert "Keep all facts" in told("draft", "The tram was full, so I walked.")
    assert shown("draft", "The tram\nwas full.").endswith("Text: The tram was full.\nThe same in plain words:")


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("http://192.168.1.5:8000", True),
        ("https://api.example.org/v1", True),
        ("http://localhost.example.org", True),
    ],
)
def test_what_leaves_the_machine_is_known(url: str, elsewhere: bool) -> None:
    assert is_elsewhere(url) == elsewhere


def test_it_is_said_before_text_leaves_the_machine(
    completions: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("manera.generation.server.is_elsewhere", lambda url: True)
    made = asking(TrainingConfig(instructions_from=completions), tmp_path, tmp_path)("question", [POST])
    assert next(made) is not None
    said = capsys.readouterr().err
    assert "1 texts of the person LEAVE THIS MACHINE now" in said
    assert completions in said
    assert POST not in said
