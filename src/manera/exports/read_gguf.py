"""Read a GGUF file with llama.cpp alone: ``python -m manera.exports.read_gguf FILE < questions.json``.

In a process of its own: llama.cpp takes over signals, and a file that it cannot read may end the process.
The answers come from llama.cpp's own server, with the file's vocabulary and chat template.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from manera import config
from manera.errors import ExportError
from manera.records import Message

BATCH = 256


class Questions(msgspec.Struct, frozen=True):
    """Messages to make token ids of, and token ids of which the likeliest next one is asked."""

    talks: Sequence[Sequence[Message]]
    beginnings: Sequence[list[int]]
    threads: int = 1


class Answers(msgspec.Struct, frozen=True):
    """One list of token ids for each talk; one token id for each beginning, None where it ends within a character."""

    ids: list[list[int]]
    likeliest: list[int | None]


def ask(path: Path, questions: Questions) -> Answers:
    """Let llama.cpp read a file; raise ExportError when it cannot."""
    command = [sys.executable, "-m", "manera.exports.read_gguf", str(path)]
    ran = subprocess.run(command, input=msgspec.json.encode(questions), capture_output=True, check=False)
    try:
        return msgspec.json.decode(ran.stdout, type=Answers)
    except msgspec.DecodeError as error:
        raise ExportError(
            f"llama.cpp cannot read what was exported (exit code {ran.returncode})", "manera doctor"
        ) from error


def answer(path: str, questions: Questions) -> Answers:
    """Answer in this process."""
    config.let_threads_sleep()
    import xllamacpp

    key = secrets.token_hex()  # the listener is on loopback; nobody else there may ask it
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_parallel, parameters.n_ctx = 1, 4096
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = questions.threads
    parameters.fit_params = parameters.warmup = parameters.ui = False
    parameters.api_keys = [key]
    parameters.use_jinja = True
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)

    def post(route: str, **fields: object) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = Request(server.listening_address + route, json.dumps(fields).encode(), headers)
        with urlopen(request) as response:
            return json.load(response)

    def ids(messages: Sequence[Message]) -> list[int]:
        prompt = post("/apply-template", messages=msgspec.to_builtins(messages))["prompt"]
        return list(post("/tokenize", content=prompt, add_special=True, parse_special=True)["tokens"])

    def likeliest(beginning: list[int]) -> int | None:
        made = post("/completion", prompt=beginning, n_predict=1, temperature=0, n_probs=1, cache_prompt=True)
        found = made.get("completion_probabilities")  # not told of part of a character
        return int(found[0]["top_logprobs"][0]["id"]) if found else None

    return Answers([ids(talk) for talk in questions.talks], [likeliest(ids) for ids in questions.beginnings])


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Questions)
    sys.stdout.buffer.write(msgspec.json.encode(answer(sys.argv[1], asked)))
