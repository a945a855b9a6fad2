"""What every engine does alike: in this process with llama.cpp or transformers, or on a server elsewhere."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

import httpx2
import msgspec
import pytest
import torch

import completions_server
from adapted import ALPHA, RANK, adapted_model
from completions_server import application
from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation import llama_cpp, remote, transformers_engine
from manera.generation.engine import Engine, Finished, PromptTooLongError, Request, Token, stream
from manera.generation.guard import Guard
from manera.generation.guarded_engine import GuardedEngine
from manera.records import Message
from manera.serving.listening import listen
from manera.text.words import words
from manera.training import lora
from manera.voice import adapter
from manera.voice.manifest import Sampling
from running import running
from tiny import TEXT

GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=24)
SEEDED = Sampling(temperature=1.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=24, seed=7)
ENDLESS = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=10_000)
CONTEXT = 256
KEY = "sk-test"


@pytest.fixture(scope="module")
def adapters(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two adapters as PEFT and as llama.cpp read them."""
    folders = {}
    for name, strength in (("anna", 0.4), ("boris", -0.4)):
        folders[name] = tmp_path_factory.mktemp(name)
        state = lora.adapter_state(adapted_model(tiny_base, strength=abs(strength)))
        if strength < 0:
            state = {key: -value if key.endswith("lora_B") else value for key, value in state.items()}
        adapter.write_peft(state, folders[name], RANK, ALPHA, "tiny")
        adapter.write_gguf(state, folders[name] / "adapter.gguf", ALPHA, tiny_base)
    return folders


@pytest.fixture(scope="module")
def in_process(tiny_base: Path, adapters: dict[str, Path]) -> Iterator[llama_cpp.LlamaCpp]:
    files = {name: folder / "adapter.gguf" for name, folder in adapters.items()}
    with llama_cpp.open_engine(tiny_base / "base.gguf", files, slots=4, context_length=CONTEXT, threads=1) as engine:
        yield engine


@pytest.fixture(scope="module", params=["llama.cpp", "transformers", "remote"])
def engine(
    request: pytest.FixtureRequest,
    in_process: llama_cpp.LlamaCpp,
    tiny_base: Path,
    tiny_encoder: Encoder,
    adapters: dict[str, Path],
) -> Iterator[Engine]:
    with ExitStack() as opened:
        if request.param == "llama.cpp":
            yield in_process
        elif request.param == "transformers":
            yield opened.enter_context(
                transformers_engine.open_engine(tiny_base, adapters, context_length=CONTEXT, device="cpu")
            )
        else:
            url = opened.enter_context(running(application(in_process, tuple(adapters), KEY)))
            yield opened.enter_context(
                remote.open_engine([url], completions_server.BASE, tiny_encoder.text, context_length=CONTEXT, key=KEY)
            )


@pytest.fixture
def prompt(tiny_encoder: Encoder) -> list[int]:
    return tiny_encoder.prompt([Message("user", "Привет, как дела?")])


def write(engine: Engine, request: Request) -> tuple[str, Finished]:
    *tokens, finished = stream(engine, request)
    assert isinstance(finished, Finished)
    return "".join(token.text for token in tokens if isinstance(token, Token)), finished


def token(encoder: Encoder, piece: str) -> int:
    index = encoder.tokenizer.token_to_id(piece)
    assert index is not None
    return index


@pytest.mark.parametrize("voice", [None, "anna", "boris"])
def test_log_probabilities_are_the_models(
    engine: Engine, tiny_base: Path, tiny_encoder: Encoder, adapters: dict[str, Path], voice: str | None
) -> None:
    ids = [tiny_encoder.bos, *tiny_encoder.text(TEXT)][:100]
    model = base_model.load(tiny_base)
    if voice is not None:
        lora.add_adapter(model, RANK, ALPHA, "float32", seed=0)
        lora.load_adapter_state(model, adapter.read_peft(adapters[voice]))
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits.log_softmax(-1)[0]
    pieces = {tiny_encoder.decode([index]): index for index in range(expected.shape[1])}
    once = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
    for length in range(2, 100, 24):
        asked = Request(ids[:length], once, {voice: 1.0} if voice else {}, top_logprobs=5)
        made, _ = stream(engine, asked)
        assert isinstance(made, Token)
        row = expected[length - 1]
        assert len(made.top) == 5
        assert made.logprob == made.top[0][1]
        for text, logprob in made.top:
            assert logprob == pytest.approx(row[pieces[text]].item(), abs=0.05)


def test_adapters_take_part_by_weight(engine: Engine, prompt: list[int]) -> None:
    texts = [write(engine, Request(prompt, GREEDY, chosen))[0] for chosen in ({}, {"anna": 1.0}, {"boris": 1.0})]
    assert len(set(texts)) == 3
    mixed = Request(prompt, GREEDY, {"anna": 0.5, "boris": 0.5})  # the one is the other's opposite
    if isinstance(engine, remote.RemoteEngine):
        with pytest.raises(GenerationError, match="cannot mix"):
            write(engine, mixed)
    else:
        assert write(engine, mixed)[0] == texts[0]


def test_replies_at_the_same_time_do_not_mix(engine: Engine, prompt: list[int]) -> None:
    asked = [Request(prompt, GREEDY, chosen) for chosen in ({}, {"anna": 1.0}, {"boris": 1.0})]
    alone = [write(engine, request)[0] for request in asked]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda request: write(engine, request)[0], asked * 2)) == alone * 2


def test_seed_decides_the_text(engine: Engine, prompt: list[int]) -> None:
    assert len({write(engine, Request(prompt, SEEDED))[0] for _ in range(3)}) == 1
    other = msgspec.structs.replace(SEEDED, seed=8)
    assert write(engine, Request(prompt, other))[0] != write(engine, Request(prompt, SEEDED))[0]


def test_stop_string_ends_before_itself(engine: Engine, prompt: list[int]) -> None:
    whole, _ = write(engine, Request(prompt, SEEDED))
    for start in (0, 5, 11):
        stop = whole[start : start + 3]
        text, finished = write(engine, Request(prompt, SEEDED, stop=(stop,)))
        assert (text, finished.reason) == (whole[: whole.index(stop)], "stop")
    almost = tuple(whole[start : start + 2] + "\u2603" for start in (3, 9, 14))
    assert write(engine, Request(prompt, SEEDED, stop=almost))[0] == whole


def test_end_of_turn_stops_silently_and_can_be_written_over(
    engine: Engine, tiny_encoder: Encoder, prompt: list[int]
) -> None:
    text, finished = write(engine, Request(prompt, GREEDY, logit_bias={tiny_encoder.end_of_turn: 100.0}))
    assert (text, finished.reason, finished.new_tokens) == ("", "stop", 1)
    _, unstopped = write(engine, Request(prompt, GREEDY, stops_at_end=False))
    assert (unstopped.reason, unstopped.new_tokens) == ("length", 24)


@pytest.mark.parametrize("special", ["<start_of_turn>", "<bos>", "<pad>"])
def test_special_tokens_never_leak(engine: Engine, tiny_encoder: Encoder, prompt: list[int], special: str) -> None:
    assert write(engine, Request(prompt, GREEDY, logit_bias={token(tiny_encoder, special): 100.0}))[0] == ""


def test_characters_of_many_tokens_come_whole(engine: Engine, tiny_encoder: Encoder, prompt: list[int]) -> None:
    bias = {token(tiny_encoder, f"<0x{byte:02X}>"): 60.0 for byte in "😀".encode()}
    tokens = [item for item in stream(engine, Request(prompt, SEEDED, logit_bias=bias)) if isinstance(item, Token)]
    assert all(token.text for token in tokens)
    "".join(token.text for token in tokens).encode()


def test_penalties_lower_what_was_written(engine: Engine, tiny_encoder: Encoder, prompt: list[int]) -> None:
    loved = {token(tiny_encoder, "▁не"): 9.0}
    stuck = write(engine, Request(prompt, GREEDY, logit_bias=loved))[0]
    assert words(stuck).count("не") > 15
    for penalty in (
        Request(prompt, GREEDY, logit_bias=loved, frequency_penalty=2.0),
        Request(prompt, msgspec.structs.replace(GREEDY, repetition_penalty=1.9), logit_bias=loved),
        Request(prompt, msgspec.structs.replace(GREEDY, dry_multiplier=2.0), logit_bias=loved),
    ):
        assert words(write(engine, penalty)[0]).count("не") < words(stuck).count("не")


def test_narrow_sampling_is_greedy(engine: Engine, prompt: list[int]) -> None:
    greedy = write(engine, Request(prompt, GREEDY))[0]
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-4}):
        drawn = msgspec.structs.replace(SEEDED, **narrow)
        assert write(engine, Request(prompt, drawn))[0] == greedy


def test_guard_is_obeyed(engine: Engine, tiny_encoder: Encoder, prompt: list[int]) -> None:
    asked = Request(prompt, msgspec.structs.replace(SEEDED, max_new_tokens=80))
    known, _ = write(engine, asked)
    known = f"{known} и так далее"
    text, finished = write(GuardedEngine(engine, Guard(tiny_encoder, lambda: [known])), asked)
    assert finished.guarded
    run = range(len(words(text)) - 11)
    assert not any(" ".join(words(text)[at : at + 12]) in " ".join(words(known)) for at in run)


def test_cancelled_reply_ends_within_a_token(engine: Engine, prompt: list[int]) -> None:
    cancelled, texts = Event(), []

    def deliver(token: Token) -> None:
        texts.append(token.text)
        cancelled.set()

    finished = engine.generate(Request(prompt, ENDLESS, stops_at_end=False), deliver, cancelled.is_set)
    assert (finished.reason, len(texts)) == ("cancelled", 1)


def test_closing_the_iterator_makes_room(engine: Engine, prompt: list[int]) -> None:
    for _ in range(6):  # more than the slots
        reply = stream(engine, Request(prompt, ENDLESS, stops_at_end=False))
        next(reply)
        reply.close()
    assert write(engine, Request(prompt, GREEDY, stops_at_end=False))[1].new_tokens == 24


def test_a_failing_consumer_is_heard(engine: Engine, prompt: list[int]) -> None:
    def deliver(_: Token) -> None:
        raise LookupError("consumer")

    with pytest.raises(LookupError, match="consumer"):
        engine.generate(Request(prompt, GREEDY), deliver, lambda: False)


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (Request([2] * 300, GREEDY), PromptTooLongError, "300 tokens"),
        (Request([10**7], GREEDY), GenerationError, "invalid tokens"),
        (Request([], GREEDY), GenerationError, "empty"),
        (Request([2], GREEDY, adapters={"clara": 1.0}), GenerationError, "clara"),
    ],
)
def test_impossible_request_is_an_error(
    engine: Engine, request_: Request, error: type[GenerationError], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        list(stream(engine, request_))
    assert raised.value.hint


def test_reply_that_fills_the_context_ends_by_length(engine: Engine, tiny_encoder: Encoder) -> None:
    _, finished = write(engine, Request([tiny_encoder.bos] * 200, ENDLESS, stops_at_end=False))
    assert finished.reason == "length"
    assert finished.prompt_tokens + finished.new_tokens <= CONTEXT


# elsewhere


class Replica:
    """A server in a process of its own."""

    def __init__(self, base: Path, adapters: dict[str, Path], dies_after: int = 0) -> None:
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        files = [f"{name}={folder / 'adapter.gguf'}" for name, folder in adapters.items()]
        command = [sys.executable, completions_server.__file__, str(base), str(port), str(dies_after), *files]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"

    def wait(self) -> None:
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=12)) as client:
            client.get(f"{self.url}/docs")

    def __enter__(self) -> "Replica":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_reply_of_a_dying_replica_is_finished_by_another(
    tiny_base: Path,
    tiny_encoder: Encoder,
    in_process: llama_cpp.LlamaCpp,
    adapters: dict[str, Path],
    prompt: list[int],
) -> None:
    asked = Request(prompt, GREEDY, {"anna": 1.0}, stops_at_end=False)
    expected, _ = write(in_process, asked)
    with Replica(tiny_base, adapters, dies_after=7) as dying, Replica(tiny_base, adapters) as steady:
        for replica in (dying, steady):
            replica.wait()
        with remote.open_engine([dying.url, steady.url], completions_server.BASE, tiny_encoder.text) as engine:
            text, finished = write(engine, asked)
            assert (text, finished.reason, finished.new_tokens) == (expected, "length", 24)
            assert dying.process.wait(timeout=30) == 1  # it died in the middle of this reply
            assert write(engine, asked)[0] == expected
            steady.process.kill()
            steady.process.wait()
            with pytest.raises(GenerationError, match="no server") as raised:
                write(engine, asked)
            assert raised.value.hint


def test_server_that_never_answers_can_be_left(tiny_encoder: Encoder) -> None:
    with listen("127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with remote.open_engine([url], completions_server.BASE, tiny_encoder.text) as engine:
            cancelled, ended = Event(), SimpleQueue[Finished]()
            asking = Thread(target=lambda: ended.put(engine.generate(Request([2], GREEDY), print, cancelled.is_set)))
            asking.start()
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(4) == b"POST"
                cancelled.set()
                asking.join()
                while connection.recv(65536):  # until the client has closed
                    pass
            assert (ended.get().reason, asking.is_alive()) == ("cancelled", False)


def test_wrong_key_is_an_error_that_does_not_tell_it(
    in_process: llama_cpp.LlamaCpp, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(remote.KEY_VARIABLE, "sk-wrong")
    with (
        running(application(in_process, (), KEY)) as url,
        remote.open_engine([url], completions_server.BASE, tiny_encoder.text) as engine,
        pytest.raises(GenerationError, match="401") as raised,
    ):
        write(engine, Request([2], GREEDY))
    assert remote.KEY_VARIABLE in str(raised.value.hint)
    assert "sk-wrong" not in f"{raised.value.message} {raised.value.hint}"


def test_key_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(remote.KEY_VARIABLE, raising=False)
    assert remote.stored_key() is None
    (tmp_path / ".env").write_text(f"{remote.KEY_VARIABLE}=sk-file\n")
    assert remote.stored_key() == "sk-file"
    monkeypatch.setenv(remote.KEY_VARIABLE, "sk-environment")
    assert remote.stored_key() == "sk-environment"
