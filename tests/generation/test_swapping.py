"""Voices that come, change and go while others write: no reply fails, and none has a wrong token."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import httpx2
import psutil
import pytest

from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation.engine import Engine, Finished, Request, Token, stream
from manera.generation.swapping import SwappingEngine, open_engine
from manera.records import Message
from manera.serving.listening import listen
from manera.voice.manifest import Sampling
from tiny import write_tiny_adapter

VOICES = tuple(f"voice{number}" for number in range(20))
GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=16)
ENDLESS = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=10_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty voices' adapters."""
    made = tmp_path_factory.mktemp("voices")
    for seed, name in enumerate(VOICES):
        write_tiny_adapter(made / f"{name}.gguf", seed)
    return made


@pytest.fixture(scope="module")
def prompt(tiny_encoder: Encoder) -> list[int]:
    return tiny_encoder.prompt([Message("user", "Привет, как дела?")])


def opened(base: Path, folder: Path, most: int = 20, slots: int = 4, context_length: int = 256) -> SwappingEngine:
    size = (folder / "voice0.gguf").stat().st_size
    return open_engine(
        base / "base.gguf",
        lambda name: folder / f"{name}.gguf",
        most_adapter_bytes=most * size,
        slots=slots,
        context_length=context_length,
        threads=1,
    )


@pytest.fixture
def engine(tiny_base: Path, folder: Path) -> Iterator[SwappingEngine]:
    with opened(tiny_base, folder, most=3) as engine:
        yield engine


def write(engine: Engine, prompt: list[int], *voices: str, sampling: Sampling = GREEDY) -> str:
    tokens = stream(engine, Request(prompt, sampling, dict.fromkeys(voices, 1.0)))
    return "".join(token.text for token in tokens if isinstance(token, Token))


def test_every_voice_says_the_same_alone_and_among_others_that_come_and_go(
    tiny_base: Path, folder: Path, prompt: list[int]
) -> None:
    with opened(tiny_base, folder) as calm:
        alone = {voice: write(calm, prompt, voice) for voice in VOICES}
        assert calm.adapters[0] == VOICES[-1]
        assert set(calm.adapters) == set(VOICES)
    assert len(set(alone.values())) == len(VOICES)
    with opened(tiny_base, folder, most=5) as busy, ThreadPoolExecutor(8) as threads:
        asked = [VOICES[number * 7 % 20] for number in range(60)]
        assert list(threads.map(lambda voice: write(busy, prompt, voice), asked)) == [alone[voice] for voice in asked]
        assert len(busy.adapters) <= 5


def test_least_recently_used_is_let_go(engine: SwappingEngine, prompt: list[int]) -> None:
    for voice in ("voice0", "voice1", "voice2", "voice0", "voice3"):
        write(engine, prompt, voice)
    assert set(engine.adapters) == {"voice0", "voice2", "voice3"}


def test_known_voices_and_the_base_need_no_swap(engine: SwappingEngine, prompt: list[int]) -> None:
    write(engine, prompt, "voice0")
    current = engine._current
    write(engine, prompt)
    write(engine, prompt, "voice0")
    assert engine._current is current


def test_voices_can_be_mixed(engine: SwappingEngine, prompt: list[int]) -> None:
    texts = {write(engine, prompt, *voices) for voices in (("voice0",), ("voice1",), ("voice0", "voice1"))}
    assert len(texts) == 3


def test_replaced_voice_is_heard_at_once_and_a_removed_one_is_not(
    tiny_base: Path, tmp_path: Path, prompt: list[int]
) -> None:
    for name, seed in (("voice0", 1), ("voice1", 2)):
        write_tiny_adapter(tmp_path / f"{name}.gguf", seed)
    with opened(tiny_base, tmp_path) as engine:
        first, second = (write(engine, prompt, name) for name in ("voice0", "voice1"))
        write_tiny_adapter(tmp_path / "voice0.gguf", 2)
        assert write(engine, prompt, "voice0") == second != first
        (tmp_path / "voice1.gguf").unlink()
        with pytest.raises(GenerationError, match="voice1"):
            write(engine, prompt, "voice1")
        write_tiny_adapter(tmp_path / "voice2.gguf", 3)
        write(engine, prompt, "voice2")
        assert set(engine.adapters) == {"voice0", "voice2"}


def test_broken_voice_fails_alone(tiny_base: Path, folder: Path, tmp_path: Path, prompt: list[int]) -> None:
    for name in ("voice0", "voice1"):
        (tmp_path / f"{name}.gguf").write_bytes((folder / f"{name}.gguf").read_bytes())
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and nothing more")
    with opened(tiny_base, tmp_path) as engine, ThreadPoolExecutor(6) as threads:
        asked = ["broken", "voice0", "voice1"] * 2
        replies = [threads.submit(write, engine, prompt, voice) for voice in asked]
        for voice, reply in zip(asked, replies, strict=True):
            if voice == "broken":
                assert isinstance(reply.exception(), GenerationError)
            else:
                assert reply.result()


def test_reply_goes_on_while_another_voice_is_opened(tiny_base: Path, folder: Path, prompt: list[int]) -> None:
    with opened(tiny_base, folder, slots=2, context_length=4096) as engine:
        long = stream(engine, Request(prompt, ENDLESS, {"voice0": 1.0}, stops_at_end=False))
        next(long)
        assert write(engine, prompt, "voice1")
        assert engine._old is not None
        assert isinstance(next(long), Token)
        long.close()
        assert engine._old is None


def test_waiting_for_a_voice_can_be_cancelled(tiny_base: Path, folder: Path, prompt: list[int]) -> None:
    with opened(tiny_base, folder, slots=2, context_length=4096) as engine:
        long = stream(engine, Request(prompt, ENDLESS, {"voice0": 1.0}, stops_at_end=False))
        next(long)
        write(engine, prompt, "voice1")  # voice0's server is the old one now, and a third is not opened
        cancelled, ended = Event(), SimpleQueue[Finished]()
        asked = Request(prompt, GREEDY, {"voice2": 1.0})
        waiting = threading.Thread(target=lambda: ended.put(engine.generate(asked, print, cancelled.is_set)))
        waiting.start()
        cancelled.set()
        waiting.join()
        assert ended.get().reason == "cancelled"
        long.close()


def test_closed_engine_refuses_and_frees_what_it_had(tiny_base: Path, folder: Path, prompt: list[int]) -> None:
    engine = opened(tiny_base, folder)
    reply = stream(engine, Request(prompt, ENDLESS, {"voice0": 1.0}, stops_at_end=False))
    next(reply)
    engine.close()
    assert [item.reason for item in reply if isinstance(item, Finished)] == ["cancelled"]
    with pytest.raises(GenerationError, match="closed"):
        write(engine, prompt, "voice0")


def test_twenty_voices_take_the_memory_of_their_files(tiny_base: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(VOICES):
        write_tiny_adapter(tmp_path / f"{name}.gguf", seed, rank=256)
    files = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert files > 40 * 1024 * 1024
    process, taken = psutil.Process(), []
    for names in ((), (), VOICES):  # the first time more is taken, once and for all
        before = process.memory_info().rss
        with open_engine(
            tiny_base / "base.gguf", lambda name: tmp_path / f"{name}.gguf", names, context_length=256, threads=1
        ) as engine:
            assert set(engine.adapters) == set(names)
            taken.append(process.memory_info().rss - before)
    _, base, voices = taken
    assert voices - base < 1.1 * files + 8 * 1024 * 1024


def test_swapping_leaks_no_memory(tiny_base: Path, folder: Path, prompt: list[int]) -> None:
    with opened(tiny_base, folder, most=1) as engine:
        process = psutil.Process()
        for voice in VOICES[:5]:
            write(engine, prompt, voice)
        before = process.memory_info().rss
        for voice in VOICES:
            write(engine, prompt, voice)
        assert process.memory_info().rss - before < 32 * 1024 * 1024


SERVE = """
import sys, threading
from pathlib import Path
from manera.generation.engine import Request, stream
from manera.generation.reply import base_writer
from manera.generation.swapping import open_engine
from manera.bases import base_model
from manera.voice.manifest import Sampling
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.listening import serve

folder, adapters = Path(sys.argv[1]), Path(sys.argv[2])
writer = base_writer(base_model.read(folder), base_model.load_tokenizer(folder))
with open_engine(folder / "base.gguf", lambda name: adapters / f"{name}.gguf", threads=1, context_length=256) as engine:
    def swap():
        for name in ("voice0", "voice1"):
            list(stream(engine, Request([2], Sampling(max_new_tokens=2), {name: 1.0})))
        print(*engine.adapters, flush=True)
    swapping = threading.Thread(target=swap)
    swapping.start()
    serve(create_app(Catalogue(engine, writer.model, {writer.model: writer}, 0)), port=int(sys.argv[3]))
    swapping.join()
print("closed")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_ends_cleanly_after_a_swap(tiny_base: Path, folder: Path, number: signal.Signals) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(tiny_base), str(folder), str(port)]
    transport = httpx2.HTTPTransport(retries=12)  # until it listens
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60) as client,
    ):
        assert client.get("/healthz").status_code == 200
        assert served.stdout is not None
        assert served.stdout.readline().split() == ["voice1", "voice0"]
        os.kill(served.pid, number)
        printed = served.communicate(timeout=60)
    assert (served.returncode, *printed) == (0, "closed\n", "")
