"""The commands as a person types them, on the built-in base and the bundled examples."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from shortened import EXAMPLES, first_posts, first_scenes

ANSWERS_IN = 900
EPOCHS = "0.4"


def run(*arguments: str | Path, home: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run ``manera`` in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "manera.cli.main", *map(str, arguments)],
        env=os.environ | {"MANERA_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=ANSWERS_IN,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in finished.stderr, finished.stderr
    if check:
        assert finished.returncode == 0, finished.stderr
    return finished


@pytest.mark.parametrize(("example", "kept"), [("channel-ru", 140), ("channel-en", 100), ("chat-ru", 1755)])
def test_examples_import_with_a_ledger_that_adds_up(example: str, kept: int, tmp_path: Path) -> None:
    ledger = json.loads(run("import", EXAMPLES / example, "--to", tmp_path / "c", "--json", home=tmp_path).stdout)
    assert ledger["kept"] == kept
    assert ledger["read"] == kept + sum(ledger["dropped"].values())


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of a chat."""
    folder = tmp_path_factory.mktemp("chat")
    run("import", EXAMPLES / "chat-ru", "--to", folder / "corpus", home=folder)
    return folder / "corpus"


def test_speakers_are_listed_with_the_owner(chat: Path, tmp_path: Path) -> None:
    listed = json.loads(run("speakers", chat, "--json", home=tmp_path).stdout)
    names = {speaker["speaker_id"]: speaker["name"] for speaker in listed["speakers"]}
    assert names[listed["owner"]] == "Тася Веретенникова"


@pytest.fixture(scope="module")
def home(builtin_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One short training on the real base; what follows uses its voice."""
    finished = run(
        *("up", first_posts("channel-ru", tmp_path_factory.mktemp("channel"))),
        *("--name", "journey", "--epochs", EPOCHS, "--replace", "--no-chat"),
        home=builtin_home,
    )
    assert finished.stdout.count("[untuned base]") == finished.stdout.count("[journey]") == 3
    assert "manera chat journey" in finished.stderr
    for told in ("held-out text, lower is better", "recommended: "):
        assert (finished.stdout.count(told), finished.stderr.count(told)) == (1, 0)
    return builtin_home


@contextmanager
def served(voice: str, home: Path) -> Iterator[str]:
    """Serve a voice in a process of its own, which SIGTERM ends; lend the API's address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "manera.cli.main", "serve", voice, "--port", str(port)],
        env=os.environ | {"MANERA_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert f"serving {voice}" in server.stderr.readline()
        yield f"http://127.0.0.1:{port}/v1"
        server.send_signal(signal.SIGTERM)
        assert server.wait(ANSWERS_IN) == 0


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served("journey", home) as url:
        yield url


@pytest.mark.slow(300)
def test_even_a_short_training_beats_the_base(home: Path) -> None:
    held_out = json.loads((home / "voices/journey/manera.json").read_text("utf-8"))["held_out"]
    assert held_out["voice"]["bits_per_byte"] < held_out["base"]["bits_per_byte"]


@pytest.mark.slow
def test_a_voice_is_for_its_owner_alone(home: Path) -> None:
    voice = home / "voices/journey"
    assert voice.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in voice.rglob("*.jsonl"))


@pytest.mark.slow
def test_write_streams_one_text(home: Path) -> None:
    written = run("write", "journey", "чайник", "--seed", "1", "--max-tokens", "24", home=home).stdout
    assert written.strip()
    assert not re.search(r"<\w+>", written)


@pytest.fixture(scope="module")
def play(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of the first scenes of a play."""
    folder = tmp_path_factory.mktemp("play")
    run("import", first_scenes(folder), "--to", folder / "corpus", home=home)
    return folder / "corpus"


@pytest.mark.slow
def test_train_ends_in_its_figures(home: Path, play: Path) -> None:
    finished = run(
        *("train", play, "--speaker", "ЛЕКАЛОВ", "--name", "lekalov", "--epochs", "1", "--json"),
        home=home,
    )
    figures = json.loads(finished.stdout)
    assert figures["voice"] == "lekalov"
    assert figures["kind"] == "dialogue"
    assert figures["held_out"]["voice"]["perplexity"] < figures["held_out"]["base"]["perplexity"]
    assert min(figures["tokens_per_second"], figures["seconds"], figures["peak_memory_bytes"]) > 0
    assert figures["recommended"] in (True, False)
    assert "bits per byte" in figures["because"]


@pytest.mark.slow
def test_an_interruption_keeps_the_best_point_and_names_it(home: Path, play: Path) -> None:
    command = ["train", str(play), "--speaker", "ЛЕКАЛОВ", "--name", "cut-short", "--epochs", "50"]
    with subprocess.Popen(
        [sys.executable, "-m", "manera.cli.main", *command, "--compile", "off"],
        env=os.environ | {"MANERA_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        assert training.stderr is not None
        next(line for line in training.stderr if line.startswith("step "))
        training.send_signal(signal.SIGINT)
        told = training.stderr.read()
        assert training.wait(ANSWERS_IN) == 1
    assert "Traceback" not in told
    assert re.search(r"stopped after step \d+; the best point so far, step \d+, is kept", told)
    assert (home / "voices/cut-short/manera.json").is_file()


@pytest.mark.slow
def test_chat_answers_and_ends_with_the_input(home: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "manera.cli.main", "chat", "journey", "--max-tokens", "16"],
        env=os.environ | {"MANERA_HOME": str(home)},
        input="каратэ и чай\n/reset\n",
        capture_output=True,
        text=True,
        timeout=ANSWERS_IN,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()


@pytest.mark.slow
def test_openai_client_talks_to_the_served_voice(address: str) -> None:
    client = openai.OpenAI(base_url=address, api_key="unused")
    assert {model.id for model in client.models.list()} == {"journey", "gemma-3-270m", "use-multilingual-3"}
    stream = client.chat.completions.create(
        model="journey", messages=[{"role": "user", "content": "чайник"}], max_tokens=16, stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.mark.slow
def test_a_taken_name_is_refused_with_what_to_do(home: Path) -> None:
    refused = run("train", home / "corpora" / "journey", "--name", "journey", home=home, check=False)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr


BAD = {
    "missing path": (["import", "nowhere.json", "--to", "c"], "nowhere.json"),
    "empty file": (["import", "empty.json", "--to", "c"], "empty"),
    "broken json": (["import", "broken.json", "--to", "c"], "line 1, column"),
    "unknown format": (["import", "chat.txt", "--to", "c"], "IRC log"),
    "no such voice": (["write", "nobody", "hello"], "nobody"),
    "no corpus": (["train", "nowhere"], "nowhere"),
    "impossible name": (["chat", "../escape"], "cannot name a voice"),
    "bad setting": (["train", "corpus", "--epochs", "-1"], "epochs"),
    "unknown speaker": (["train", "corpus", "--speaker", "Никто"], "Никто"),
    "unknown language": (["train", "corpus", "--languages", "xx"], "'xx'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str, chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.json").touch()
    Path("broken.json").write_text('{"name": "a", "messages": [{"id": 1,,}]}', "utf-8")
    Path("chat.txt").write_text("22:01 <john> hi\n22:02 <jane> hello\n22:03 <john> bye\n", "utf-8")
    Path("corpus").symlink_to(chat)
    arguments, told = BAD[case]
    failed = run(*arguments, home=tmp_path / "home", check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ") or "\nerror: " in failed.stderr
    assert told in failed.stderr
    assert "hint: " in failed.stderr
    assert not Path("c").exists()
