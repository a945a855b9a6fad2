"""Voices over the API: cards, reports, origins, and their end."""

import json
import math
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from manera.bases import base_model
from manera.generation.llama_cpp import LlamaCpp
from manera.jobs.cards import Verdict, write_verdict
from manera.records import Example, Message
from manera.rhythm.record import Answering, Delay, Rhythm
from manera.serving.app import create_app
from manera.serving.keys import Keys, add_key
from manera.serving.voices import FollowedVoices
from manera.voice.dataset import write_dataset
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import write_voice
from running import running
from tiny import tiny_voice, write_tiny_adapter

Serve = Callable[..., httpx2.Client]


def example(asked: str, said: str) -> Example:
    return Example((Message("user", asked), Message("assistant", said)))


def put(base: Path, name: str) -> Path:
    """Put a voice with a small dataset where voices are."""
    folder = voice_folder(name)
    folder.mkdir(parents=True)
    write_tiny_adapter(folder / ADAPTER_GGUF, seed=1)
    made = [example(f"Как дела, {number}?", f"Пойдём гулять вечером {number} раз") for number in range(12)]
    made.append(example("Ты где?", "Жду поезда на вокзале"))
    write_dataset({"train": made, "validation": made, "test": made}, folder)
    write_voice(tiny_voice(base, name), folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def serve(home: Path, tiny_engine: LlamaCpp, tiny_base: Path) -> Iterator[Serve]:
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(keys: Keys | None = None) -> httpx2.Client:
            described, tokenizer = base_model.read(tiny_base), base_model.load_tokenizer(tiny_base)
            app = create_app(FollowedVoices(tiny_engine, described, tokenizer, created=0), keys=keys)
            url = stack.enter_context(running(app))
            return stack.enter_context(httpx2.Client(base_url=url, timeout=30))

        yield start


@pytest.fixture
def http(serve: Serve, tiny_base: Path) -> httpx2.Client:
    put(tiny_base, "anna")
    return serve()


def metric(id: str, value: float) -> dict[str, Any]:
    bounds = {"low": value - 0.1, "high": value + 0.1}
    return {
        "id": id,
        "value": value,
        "unit": "bits_per_byte",
        "n": 3,
        "better": "lower",
        "of": "conversations",
    } | bounds


def write_report(folder: Path) -> None:
    from manera.evaluation.budget import FAST

    budget = {name: getattr(FAST, name) for name in FAST.__struct_fields__}
    found = {id: metric(id, value) for id, value in (("bits_per_byte.voice", 1.5), ("likeness.voice", 0.7))}
    report = {
        "voice": "anna", "kind": "dialogue", "created_at": "2026-01-01", "manera_version": "0.1.0", "seed": 0,
        "budget": budget, "metrics": found, "recommended": True, "because": "it is better", "not_measured": {},
        "compared_with": [], "seconds": 1.0, "format": 2,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    (folder / "report.html").write_text("<p>Отчёт</p>", "utf-8")
    (folder / "report.en.html").write_text("<p>Report</p>", "utf-8")


def test_card_says_what_is_known(http: httpx2.Client, home: Path) -> None:
    (card,) = http.get("/v1/voices").json()["data"]
    assert (card["id"], card["persona"], card["kind"], card["base"]) == ("anna", "Anna", "dialogue", "tiny-gemma3")
    assert (card["recommended"], card["has_report"], card["has_rhythm"], card["can_talk"]) == (None, False, False, True)
    assert card["held_out"]["voice"]["perplexity"] == 20
    assert card["bytes"] > 1000
    write_verdict("anna", Verdict(False, "it is no better than the base"))
    (card,) = http.get("/v1/voices").json()["data"]
    assert (card["recommended"], card["because"]) == (False, "it is no better than the base")
    write_report(home / "voices" / "anna")
    found = http.get("/v1/voices/anna", params={"language": "ru"}).json()
    assert (found["recommended"], found["because"], found["has_report"]) == (True, "it is better", True)
    assert found["likeness"] == {"value": 0.7, "low": pytest.approx(0.6), "high": pytest.approx(0.8)}
    assert next((one["id"], one["unit"]) for one in found["headline"]) == ("bits_per_byte.voice", "бит на байт")
    assert len(found["prompts"]) == 3


def test_report_is_returned_as_it_was_written(http: httpx2.Client, home: Path) -> None:
    assert http.get("/v1/voices/anna/report").status_code == 404
    assert http.get("/v1/voices/anna/report.html").status_code == 404
    write_report(home / "voices" / "anna")
    assert http.get("/v1/voices/anna/report").json()["because"] == "it is better"
    page = http.get("/v1/voices/anna/report.html")
    assert page.text == "<p>Отчёт</p>"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script" not in page.headers["content-security-policy"]
    assert http.get("/v1/voices/anna/report.html", params={"language": "en"}).text == "<p>Report</p>"


def test_why_names_the_training_messages(http: httpx2.Client) -> None:
    found = http.post("/v1/voices/anna/why", json={"text": "я на вокзале, жду", "count": 2}).json()["data"]
    assert found[0]["message"] == {"text": "Жду поезда на вокзале", "answers": "Ты где?"}


def test_deleted_voice_is_gone_at_once(http: httpx2.Client, home: Path) -> None:
    assert http.delete("/v1/voices/anna").status_code == 204
    assert http.get("/v1/voices").json()["data"] == []
    assert list((home / "voices").iterdir()) == []
    for path in ("/v1/voices/anna", "/v1/voices/anna/report", "/v1/voices/anna/rhythm", "/v1/voices/..%2Fanna"):
        assert http.get(path).status_code == 404
    assert http.delete("/v1/voices/anna").status_code == 404


def test_broken_voice_hides_no_other(http: httpx2.Client, home: Path, tiny_base: Path) -> None:
    (put(tiny_base, "boris") / "manera.json").write_text("{")
    assert [card["id"] for card in http.get("/v1/voices").json()["data"]] == ["anna"]


def test_key_sees_its_voices_and_deletes_none(serve: Serve, home: Path, tiny_base: Path) -> None:
    for name in ("anna", "boris"):
        put(tiny_base, name)
    guest = add_key(home / "keys.json", "guest", voices=["anna"])
    http = serve(Keys(home / "keys.json", are_required=True))
    http.headers["authorization"] = f"Bearer {guest}"
    assert [card["id"] for card in http.get("/v1/voices").json()["data"]] == ["anna"]
    foreign = http.get("/v1/voices/boris")
    assert foreign.status_code == 404
    assert "boris" not in foreign.text.replace("'boris'", "")
    assert http.delete("/v1/voices/anna").status_code == http.delete("/v1/voices/boris").status_code == 403
    assert http.post("/v1/voices/boris/why", json={"text": "x"}).status_code == 404


def test_game_is_voted_on_once_by_who_plays_it(http: httpx2.Client, home: Path) -> None:
    anna, boris = {"user": "web:anna"}, {"user": "web:boris"}
    for number in range(1, 3):
        game = http.post("/v1/voices/anna/games", json=anna).json()
        assert game["asked"] in {"Ты где?", *(f"Как дела, {number}?" for number in range(12))}
        real = next(
            place for place, text in enumerate(game["texts"]) if text.startswith(("Пойдём гулять", "Жду поезда"))
        )
        path = f"/v1/games/{game['id']}/vote"
        assert http.post(path, json=boris | {"choice": real}).status_code == 404
        voted = http.post(path, json=anna | {"choice": real}).json()
        assert (voted["real"], voted["right"], voted["votes"], voted["accuracy"]) == (real, True, number, 1.0)
        assert voted["low"] < 0.5 < voted["high"]
        assert http.post(path, json=anna | {"choice": real}).status_code == 404
    assert http.post("/v1/voices/boris/games", json=anna).status_code == 404
    kept = home / "voices" / "anna" / "preferences.jsonl"
    pairs = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    assert [(pair["source"], pair["tenant"]["user"]) for pair in pairs] == [("game", "web:anna")] * 2
    assert pairs[1]["chosen"] == game["texts"][real]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list((home / "games").iterdir()) == []


def test_preferences_are_kept_with_the_voice(http: httpx2.Client, home: Path) -> None:
    told = {"user": "telegram:7", "messages": [{"role": "user", "content": "Ты где?"}], "source": "correction"}
    path = "/v1/voices/anna/preferences"
    assert http.post(path, json=told | {"chosen": "Еду", "rejected": "Спасибо"}).status_code == 204
    assert http.post(path, json=told | {"source": "thumb", "rejected": "Нет"}).status_code == 204
    assert http.post(path, json=told).status_code == 400
    assert http.post(path, json=told | {"chosen": "x", "source": "guess"}).status_code == 400
    lines = (home / "voices" / "anna" / "preferences.jsonl").read_text("utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert (first["chosen"], first["rejected"], first["source"]) == ("Еду", "Спасибо", "correction")
    assert first["tenant"] == {"client": "", "user": "telegram:7"}
    assert (second["chosen"], second["rejected"]) == (None, "Нет")


def test_silence_is_asked_of_the_rhythm(http: httpx2.Client, home: Path) -> None:
    said = [{"name": "Боря", "text": "Аня, ты идёшь?", "at": 1_700_000_000.0, "mentions_me": True}]
    path = "/v1/voices/anna/silence"
    assert http.post(path, json={"messages": said}).status_code == 404
    answering = Answering(constant=-1.0, coefficients={"named": 3.0}, threshold=0.5)
    delay = Delay(constant=1.0, slopes=(0.1, 0.1), residuals=(0.0, 1.0), median=3.0, longest=60.0)
    rhythm = Rhythm((1.0,), delay, None, (1 / 24,) * 24, turns=9, answering=answering)
    (home / "voices" / "anna" / "rhythm.json").write_bytes(msgspec.json.encode(rhythm))
    assert http.post(path, json={"messages": said}).json()["speak"] == pytest.approx(1 / (1 + math.exp(-2)))
    own = [said[0], {"name": "Аня", "text": "Иду", "at": 1_700_000_009.0, "is_mine": True}]
    assert http.post(path, json={"messages": own}).json() == {"speak": 0.0}
    assert http.get("/v1/voices/anna/rhythm").json()["turns"] == 9
    assert http.get("/v1/voices/anna").json()["has_rhythm"]
