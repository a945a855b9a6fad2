"""The llama.cpp engine on a real model: what it must never get wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import torch

from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.records import Message
from manera.voice.manifest import Sampling
from tiny import TEXT, write_tiny_adapter

Write = Callable[[Request], tuple[str, Finished]]
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=24)
SEEDED = Sampling(temperature=1.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=24, seed=7)
WILD = Sampling(temperature=5.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=200, seed=3)


def token(encoder: Encoder, piece: str) -> int:
    index = encoder.tokenizer.token_to_id(piece)
    assert index is not None
    return index


@pytest.fixture
def engine(tiny_engine: LlamaCpp) -> LlamaCpp:
    return tiny_engine


@pytest.fixture
def encoder(tiny_encoder: Encoder) -> Encoder:
    return tiny_encoder


@pytest.fixture
def write(engine: LlamaCpp) -> Write:
    """Make a whole reply."""

    def write(request: Request) -> tuple[str, Finished]:
        *tokens, finished = stream(engine, request)
        assert isinstance(finished, Finished)
        return "".join(token.text for token in tokens if isinstance(token, Token)), finished

    return write


@pytest.fixture
def prompt(encoder: Encoder) -> list[int]:
    return encoder.prompt([Message("user", "Привет, как дела?")])


TOKENIZE = """
import json, sys, urllib.request, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_ctx, parameters.verbosity = sys.argv[1], 64, -1
server = xllamacpp.Server(parameters)
for text in json.load(sys.stdin):
    body = json.dumps({"content": text, "add_special": False, "parse_special": False}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{server.listening_address}/tokenize", body)) as answer:
        print(json.dumps(json.load(answer)["tokens"]))
"""


def test_llama_cpp_makes_the_same_tokens_of_text(tiny_base: Path, encoder: Encoder) -> None:
    texts = [*TEXT.splitlines(keepends=True), TEXT, "  два  пробела\n\n\nÜber 😀\r<bos>", "ёж\tи\x00 уж"]
    command = [sys.executable, "-c", TOKENIZE, str(tiny_base / "base.gguf")]
    ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [encoder.text(text) for text in texts]


def test_log_probabilities_are_those_of_transformers(tiny_base: Path, engine: LlamaCpp, encoder: Encoder) -> None:
    ids = [encoder.bos, *encoder.text(TEXT)][:160]  # more than the sliding window
    with torch.no_grad():
        expected = base_model.load(tiny_base)(torch.tensor([ids])).logits.log_softmax(-1)[0]
    pieces = [encoder.decode([index]) for index in range(expected.shape[1])]
    ids_of = {piece: index for index, piece in enumerate(pieces)}
    one_step = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
    for length in range(1, 160, 13):
        made, _ = stream(engine, Request(ids[:length], one_step, top_logprobs=5))
        assert isinstance(made, Token)
        row = expected[length - 1]
        assert made.text == pieces[int(row.argmax())]
        assert dict(made.top) == pytest.approx({text: row[ids_of[text]].item() for text, _ in made.top}, abs=0.03)


def test_prompt_is_taken_as_it_is_with_one_bos(write: Write, prompt: list[int], encoder: Encoder) -> None:
    assert prompt.count(encoder.bos) == 1
    _, finished = write(Request(prompt, GREEDY))
    assert finished.prompt_tokens == len(prompt)


def test_greedy_is_deterministic(write: Write, prompt: list[int]) -> None:
    assert len({write(Request(prompt, GREEDY))[0] for _ in range(4)}) == 1


def test_seed_decides_the_text(write: Write, prompt: list[int]) -> None:
    texts = {write(Request(prompt, SEEDED))[0] for _ in range(3)}
    other = Sampling(temperature=1.0, top_p=None, min_p=None, repetition_penalty=None, max_new_tokens=24, seed=8)
    assert len(texts) == 1
    assert write(Request(prompt, other))[0] not in texts


def test_each_request_has_its_own_adapter(write: Write, prompt: list[int]) -> None:
    asked = [Request(prompt, GREEDY, adapters=adapters) for adapters in ({}, {"anna": 1.0}, {"boris": 1.0})]
    alone = [write(request)[0] for request in asked]
    assert len(set(alone)) == 3
    with ThreadPoolExecutor(9) as threads:
        together = list(threads.map(lambda request: write(request)[0], asked * 3))
    assert together == alone * 3


def test_remembered_prompt_of_another_adapter_is_not_used(write: Write, prompt: list[int]) -> None:
    warm = Sampling(temperature=0.01, repetition_penalty=None, max_new_tokens=12)
    first = write(Request(prompt, warm, adapters={"anna": 1.0}))[0]
    write(Request(prompt, warm, adapters={"boris": 1.0}))
    assert write(Request(prompt, warm, adapters={"anna": 1.0}))[0] == first


def test_parallel_requests_do_not_mix(write: Write, encoder: Encoder) -> None:
    prompts = [encoder.prompt([Message("user", f"Привет {number}, как дела?")]) for number in range(12)]
    alone = [write(Request(ids, GREEDY))[0] for ids in prompts]
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(lambda ids: write(Request(ids, GREEDY))[0], prompts)) == alone


@pytest.mark.parametrize("end", ["<end_of_turn>", "<eos>"])
def test_end_of_turn_and_end_of_text_stop_silently(write: Write, encoder: Encoder, prompt: list[int], end: str) -> None:
    bias = {token(encoder, end): 100.0}
    text, finished = write(Request(prompt, GREEDY, logit_bias=bias))
    assert (text, finished.reason) == ("", "stop")
    _, unstopped = write(Request(prompt, GREEDY, stops_at_end=False))
    assert (unstopped.reason, unstopped.new_tokens) == ("length", 24)


@pytest.mark.parametrize("special", ["<start_of_turn>", "<bos>", "<pad>", "<unk>", "<mask>"])
def test_special_tokens_never_leak(write: Write, encoder: Encoder, prompt: list[int], special: str) -> None:
    text, _ = write(Request(prompt, GREEDY, logit_bias={token(encoder, special): 100.0}))
    assert text == ""


def test_stop_string_ends_before_itself(write: Write, prompt: list[int]) -> None:
    whole, _ = write(Request(prompt, WILD))
    stop = whole[20:23]
    text, finished = write(Request(prompt, WILD, stop=(stop,)))
    assert text == whole[: whole.index(stop)]
    assert finished.reason == "stop"


def test_text_held_back_for_a_stop_string_is_not_lost(write: Write, prompt: list[int]) -> None:
    whole, _ = write(Request(prompt, WILD))
    almost = tuple(whole[start : start + 2] + "\u2603" for start in (3, 9, 14))
    assert write(Request(prompt, WILD, stop=almost, top_logprobs=1))[0] == whole


def test_character_of_many_tokens_streams_whole(engine: LlamaCpp, encoder: Encoder, prompt: list[int]) -> None:
    one, two, three, four = (token(encoder, f"<0x{byte:02X}>") for byte in "😀".encode())
    bias = {one: 60.0, two: 60.0, three: 60.0, four: 60.0}
    tokens = [item for item in stream(engine, Request(prompt, SEEDED, logit_bias=bias)) if isinstance(item, Token)]
    assert all(token.text for token in tokens)
    "".join(token.text for token in tokens).encode()


def test_log_probabilities_do_not_change_the_text(write: Write, prompt: list[int]) -> None:
    assert write(Request(prompt, WILD, top_logprobs=3))[0] == write(Request(prompt, WILD))[0]


def test_closing_the_iterator_frees_the_slots(engine: LlamaCpp, prompt: list[int]) -> None:
    endless = Sampling(temperature=1.0, max_new_tokens=10_000, seed=1)
    for _ in range(20):  # five times the slots
        reply = stream(engine, Request(prompt, endless, stops_at_end=False))
        next(reply)
        reply.close()
    assert "manera-reply" not in {thread.name for thread in threading.enumerate()}


def test_cancelled_request_says_so(engine: LlamaCpp, prompt: list[int]) -> None:
    cancelled = Event()
    texts: list[str] = []

    def deliver(token: Token) -> None:
        texts.append(token.text)
        cancelled.set()

    finished = engine.generate(Request(prompt, GREEDY), deliver, cancelled.is_set)
    assert (finished.reason, len(texts)) == ("cancelled", 1)


def test_reply_that_fills_the_context_ends_by_length(write: Write, encoder: Encoder) -> None:
    long = Sampling(temperature=0, max_new_tokens=10_000)
    _, finished = write(Request([encoder.bos] * 200, long, stops_at_end=False))
    assert finished.reason == "length"
    assert finished.prompt_tokens + finished.new_tokens <= 256


def test_broken_model_is_an_error(tmp_path: Path, tiny_base: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes((tiny_base / "base.gguf").read_bytes()[:20_000])
    with pytest.raises(GenerationError, match=r"broken\.gguf"):
        open_engine(broken)
    with pytest.raises(GenerationError, match=r"nothing\.gguf"):
        open_engine(tiny_base / "base.gguf", {"nobody": tmp_path / "nothing.gguf"})


def test_closed_engine_refuses(tiny_base: Path, tmp_path: Path) -> None:
    opened = open_engine(tiny_base / "base.gguf", {"a": write_tiny_adapter(tmp_path / "a.gguf", 1)}, context_length=64)
    opened.close()
    opened.close()
    with pytest.raises(GenerationError, match="closed"):
        list(stream(opened, Request([2], GREEDY)))


def test_signals_stay_ours(tiny_base: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with open_engine(tiny_base / "base.gguf", threads=1):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


SILENT = """
import sys, psutil
from pathlib import Path
from manera.generation.engine import Request, stream
from manera.generation.llama_cpp import open_engine
from manera.voice.manifest import Sampling
with open_engine(Path(sys.argv[1]), threads=1) as engine:
    list(stream(engine, Request([2, 300, 301], Sampling(max_new_tokens=4))))
    try:
        list(stream(engine, Request([2] * 9999, Sampling())))
    except Exception:
        pass
    print([c.laddr for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"])
    print([c.laddr for c in psutil.Process().net_connections("unix") if Path(c.laddr).exists() and c.laddr])
"""


def test_engine_is_silent_and_opens_no_port(tiny_base: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SILENT, str(tiny_base / "base.gguf")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("[]\n[]\n", "")
