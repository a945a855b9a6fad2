"""A server of its own over a home in which the tiny base lies ready, and an export to train from."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from manera.bases import base_model
from manera.generation import swapping
from manera.jobs.folder import jobs_folder
from manera.jobs.running import wait_for
from manera.serving.app import create_app
from manera.serving.keys import Keys
from manera.serving.voices import FollowedVoices
from manera.voice.folder import adapter_file
from running import running
from tiny import NAME, TEXT

WORDS = TEXT.split()
WORDS_EACH = 20
QUICK = {
    "PRECISION": "float32", "COMPILE": "off", "RANK": "4", "ALPHA": "8", "MAX_LENGTH": "192", "BATCH_TOKENS": "400",
    "EPOCHS": "1", "LEARNING_RATE": "3e-3", "THREADS": "1",
}  # fmt: skip
"""Settings of [training] for the tiny base, by their names in the environment."""

USER = {"user": "web:anna"}


def said(number: int) -> str:
    """Write something that nobody wrote before: what comes again is not learned from."""
    return " ".join(Random(number).sample(WORDS, WORDS_EACH))


def export(messages: int = 64) -> bytes:
    """Write a chat of two as Telegram Desktop exports it."""
    told: list[dict[str, Any]] = []
    for number in range(messages):
        name, words = (("Аня", said(number)), ("Боря", "Ну и что ты думаешь?"))[number % 2]
        told.append(
            {
                "id": number,
                "type": "message",
                "date_unixtime": str(1_700_000_000 + 1800 * number + 86_400 * (number // 10)),
                "from": name,
                "from_id": f"user{number % 2 + 1}",
                "text": f"{words} {number}",
            }
        )
    return json.dumps({"name": "Боря", "type": "personal_chat", "id": 2, "messages": told}).encode()


@contextmanager
def serving(home: Path, base: Path, keys: Keys | None = None) -> Iterator[httpx2.Client]:
    """Serve the tiny base from a home, MANERA_HOME already, and whatever voices come into it."""
    folder = home / "bases" / NAME
    if not folder.exists():
        shutil.copytree(base, folder)
    described, tokenizer = base_model.read(folder), base_model.load_tokenizer(folder)
    engine = swapping.open_engine(folder / base_model.GGUF, adapter_file, [], slots=2)
    try:
        app = create_app(FollowedVoices(engine, described, tokenizer, created=0), keys=keys)
        with running(app) as url, httpx2.Client(base_url=url, timeout=60) as http:
            yield http
    finally:
        engine.close()


def uploaded(http: httpx2.Client, content: bytes | None = None, user: str = USER["user"]) -> str:
    """Upload an export, wait for its import, and return its id."""
    parameters = {"filename": "result.json", "user": user}
    sent = http.post("/v1/uploads", params=parameters, content=content or export())
    assert sent.status_code == 201, sent.text
    id = str(sent.json()["id"])
    wait_for(jobs_folder("uploads") / id)
    return id
