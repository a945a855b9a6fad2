"""Trainings over the API: one at a time, followed, stopped, broken off; each seen by its owner only."""

import io
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobs_home import QUICK, USER, export, said, serving, uploaded
from manera.jobs.folder import PID, jobs_folder
from manera.jobs.running import locked, wait_for
from manera.serving.keys import Keys, add_key
from waiting import until

pytestmark = pytest.mark.slow

TRAININGS = "/v1/trainings"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    for name, value in QUICK.items():
        monkeypatch.setenv(f"MANERA_TRAINING_{name}", value)
    return tmp_path


@pytest.fixture
def http(home: Path, tiny_base: Path) -> Iterator[httpx2.Client]:
    with serving(home, tiny_base) as client:
        yield client


def begin(http: httpx2.Client, upload: str, voice: str, **more: Any) -> httpx2.Response:
    return http.post(TRAININGS, json={"upload": upload, "speaker": "user1", "voice": voice} | USER | more)


def read(http: httpx2.Client, id: str) -> Any:
    return http.get(f"{TRAININGS}/{id}", params=USER).json()


def folder_of(id: str) -> Path:
    return jobs_folder("trainings") / id


def test_road_from_a_file_to_a_voice_its_report_and_its_export(home: Path, tiny_base: Path) -> None:
    with serving(home, tiny_base) as http:
        upload = uploaded(http)
        plan = http.post("/v1/plans", json={"upload": upload, "speaker": "user1"} | USER).json()
        assert (plan["kind"], plan["persona"], plan["voice"], plan["base"]) == ("dialogue", "Аня", "аня", "tiny-gemma3")
        assert plan["examples"]["train"] > 0 < plan["tokens"]["train"]
        assert plan["samples"][0][-1]["role"] == "assistant"
        assert "guess" in [warning["id"] for warning in plan["warnings"]]
        assert list((home / "plans").iterdir()) == []
        begun = begin(http, upload, "anna")
        assert begun.status_code == 202, begun.text
        assert begun.json()["status"] in ("preparing", "training")
        assert http.delete(f"/v1/uploads/{upload}", params=USER).status_code == 204  # it has taken the corpus along
        id = begun.json()["id"]
    with serving(home, tiny_base) as http:  # it has gone on without a server
        wait_for(folder_of(id))
        done = read(http, id)
        assert (done["status"], done["error"], done["voice"]) == ("done", None, "anna"), done
        assert done["step"] == done["steps"] == done["losses"][-1][0]
        assert done["validation_losses"][-1][1] == done["validation_loss"] > 0
        assert done["base_loss"] > 0 < done["tokens_per_second"]
        assert done["held_out"]["voice"]["perplexity"] > 1
        assert isinstance(done["because"], str)
        assert not (folder_of(id) / "corpus").exists()
        talks(http, done["because"])
        taken = begin(http, uploaded(http), "anna")
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "taken")
        reported(http)
        exported(http, home)


def talks(http: httpx2.Client, because: str) -> None:
    (card,) = http.get("/v1/voices").json()["data"]
    assert (card["id"], card["can_talk"], card["because"]) == ("anna", True, because)
    asked = {"model": "anna", "messages": [{"role": "user", "content": "Привет"}], "max_tokens": 4}
    assert http.post("/v1/chat/completions", json=asked).status_code == 200


def reported(http: httpx2.Client) -> None:
    begun = http.post("/v1/voices/anna/report", json={"fast": True} | USER)
    assert (begun.status_code, begun.json()["kind"]) == (202, "report")
    wait_for(folder_of(begun.json()["id"]))
    done = read(http, begun.json()["id"])
    assert (done["status"], done["error"]) == ("done", None), done
    assert http.get("/v1/voices/anna/report").json()["because"] == done["because"]
    for language in ("en", "ru"):
        page = http.get("/v1/voices/anna/report.html", params={"language": language})
        assert f'<html lang="{language}">' in page.text
    assert http.get("/v1/voices/anna").json()["has_report"]


def exported(http: httpx2.Client, home: Path) -> None:
    assert http.get("/v1/voices/anna/export", params={"to": "elsewhere"}).status_code == 400
    assert http.get("/v1/voices/boris/export", params={"to": "gguf"}).status_code == 404
    answer = http.get("/v1/voices/anna/export", params={"to": "gguf"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''anna-gguf.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {"anna-gguf/README.md", "anna-gguf/anna.gguf", "anna-gguf/export.json"} <= set(archive.namelist())
    assert list((home / "exports").iterdir()) == []


def test_second_training_waits_for_the_first_and_each_is_stopped(
    http: httpx2.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_TRAINING_EPOCHS", "100")
    monkeypatch.setenv("MANERA_TRAINING_PATIENCE", "100000")
    upload = uploaded(http)
    first, second, third = (begin(http, upload, name).json()["id"] for name in ("anna", "boris", "clara"))
    assert [(read(http, id)["status"], read(http, id)["position"]) for id in (second, third)] == [
        ("queued", 1),
        ("queued", 2),
    ]
    again = begin(http, upload, "boris")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "taken")
    assert http.post(f"{TRAININGS}/{second}/stop", params=USER).status_code == 200
    until(lambda: read(http, second)["status"] == "stopped")
    assert read(http, third)["position"] == 1
    until(lambda: read(http, first)["step"] > 2, 60)
    following = read(http, first)
    assert following["status"] == "training"
    assert following["seconds_left"] > 0
    assert http.post(f"{TRAININGS}/{first}/stop", params=USER).json()["status"] == "stopping"
    wait_for(folder_of(first))
    stopped = read(http, first)
    assert (stopped["status"], stopped["error"]) == ("stopped", None)
    assert stopped["step"] < stopped["steps"]
    assert stopped["held_out"]["voice"]["perplexity"] > 1
    until(lambda: read(http, third)["step"] > 0, 60)
    assert os.getpgid(int((folder_of(third) / PID).read_text())) != os.getpgid(0)
    os.kill(int((folder_of(third) / PID).read_text()), signal.SIGKILL)
    wait_for(folder_of(third))
    killed = read(http, third)
    assert killed["status"] == "failed"
    assert "broke off" in killed["error"]["message"]
    assert not (folder_of(third) / "corpus").exists()
    listed = http.get(TRAININGS, params=USER).json()["data"]
    assert [one["voice"] for one in listed] == ["clara", "boris", "anna"]
    assert {card["id"] for card in http.get("/v1/voices").json()["data"]} == {"anna"}


def go_on(http: httpx2.Client, voice: str, **more: Any) -> httpx2.Response:
    return http.post(f"/v1/voices/{voice}/trainings", json=USER | more)


def liked(http: httpx2.Client, count: int) -> None:
    for number in range(count):
        asked = [{"role": "user", "content": f"Ну и что ты думаешь? {number}"}]
        given = {
            "messages": asked,
            "chosen": f"{said(number)} {number}",
            "rejected": "Не знаю.",
            "source": "thumb",
        }
        assert http.post("/v1/voices/anna/preferences", json=USER | given).status_code == 204


def ended(http: httpx2.Client, begun: httpx2.Response, kind: str) -> Any:
    assert (begun.status_code, begun.json()["kind"]) == (202, kind), begun.text
    wait_for(folder_of(begun.json()["id"]))
    done = read(http, begun.json()["id"])
    assert (done["status"], done["error"]) == ("done", None), done
    return done


def card_of(http: httpx2.Client, voice: str) -> Any:
    return http.get(f"/v1/voices/{voice}").json()


def test_voice_goes_on_from_thumbs_and_from_a_newer_export(http: httpx2.Client, home: Path) -> None:
    id = begin(http, uploaded(http), "anna").json()["id"]
    wait_for(folder_of(id))
    card = card_of(http, "anna")
    assert (card["preferences"], card["preferences_needed"], card["can_grow"]) == (0, 8, True)
    learns_preferences(http)
    grows(http)


def learns_preferences(http: httpx2.Client) -> None:
    liked(http, 3)
    begun = go_on(http, "anna")
    wait_for(folder_of(begun.json()["id"]))
    few = read(http, begun.json()["id"])
    assert few["status"] == "failed"
    assert "has 3 preferences that can be learned, and 8 are needed" in few["error"]["message"]
    liked(http, 6)
    assert card_of(http, "anna")["preferences"] == 9
    done = ended(http, go_on(http, "anna"), "preferences")
    assert done["preferred"]["refusal"] is None
    assert done["preferred"]["preferred"] > 0.5
    assert done["step"] == done["preferred"]["steps"] > 0
    assert isinstance(done["because"], str)
    card = card_of(http, "anna")
    assert (card["because"], card["held_out"]) == (done["because"], done["held_out"])
    assert card["preferences"] == 0


def grows(http: httpx2.Client) -> None:
    nothing_new = go_on(http, "anna", upload=uploaded(http))
    wait_for(folder_of(nothing_new.json()["id"]))
    assert "0 characters to learn from" in read(http, nothing_new.json()["id"])["error"]["message"]
    done = ended(http, go_on(http, "anna", upload=uploaded(http, export(160))), "growth")
    assert {"old", "new", "refusal"} <= set(done["grown"])
    assert (done["grown"]["refusal"] is None) == (done["held_out"] is not None)
    if done["grown"]["refusal"]:
        assert done["because"] == done["grown"]["because"]


def test_voice_that_goes_on_and_is_stopped_stays_as_it_was(
    http: httpx2.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(folder_of(begin(http, uploaded(http), "anna").json()["id"]))
    manifest = (home / "voices" / "anna" / "manera.json").read_bytes()
    monkeypatch.setenv("MANERA_TRAINING_EPOCHS", "100")
    monkeypatch.setenv("MANERA_TRAINING_PATIENCE", "100000")
    id = go_on(http, "anna", upload=uploaded(http, export(160))).json()["id"]
    until(lambda: read(http, id)["step"] > 2, 120)
    assert go_on(http, "anna").json()["error"]["code"] == "taken"
    assert http.post(f"{TRAININGS}/{id}/stop", params=USER).json()["status"] == "stopping"
    wait_for(folder_of(id))
    assert (read(http, id)["status"], read(http, id)["grown"]) == ("stopped", None)
    assert not (folder_of(id) / "corpus").exists()
    assert (home / "voices" / "anna" / "manera.json").read_bytes() == manifest


def test_voice_is_free_as_soon_as_its_training_has_ended(http: httpx2.Client) -> None:
    id = begin(http, uploaded(http), "anna").json()["id"]
    wait_for(folder_of(id))
    with locked(folder_of(id)):  # as its process holds it while it closes
        asked = http.post("/v1/voices/anna/report", json={"fast": True} | USER)
        assert asked.status_code == 202
        http.post(f"{TRAININGS}/{asked.json()['id']}/stop", params=USER)
    wait_for(folder_of(asked.json()["id"]))


def test_voice_cannot_go_on_from_what_is_not_its_own(http: httpx2.Client, home: Path) -> None:
    upload = uploaded(http)
    wait_for(folder_of(begin(http, upload, "anna").json()["id"]))
    others = go_on(http, "anna", upload=uploaded(http, export().replace(b"user1", b"user7")))
    assert others.status_code == 400
    assert others.json()["error"]["message"].startswith("Аня says nothing in this upload")
    assert go_on(http, "anna", upload="0" * 32).status_code == 404
    assert go_on(http, "boris", upload=upload).status_code == 404


def killed(id: str, after_step: int, before: int = 0) -> int:
    """End a training's process at once when it could go on, and return its id; before: of the one that died last."""
    folder = folder_of(id)
    steps, saved = folder / "steps.jsonl", folder / "run" / "checkpoint.safetensors"
    until(lambda: saved.exists() and steps.read_bytes().count(b"\n") > after_step, 90)
    until(lambda: int((folder / PID).read_text() or before) != before, 60)
    process = int((folder / PID).read_text())
    os.kill(process, signal.SIGKILL)
    return process


def test_training_whose_process_died_goes_on_by_itself(
    http: httpx2.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_TRAINING_EPOCHS", "20")
    monkeypatch.setenv("MANERA_TRAINING_PATIENCE", "100000")
    monkeypatch.setenv("MANERA_TRAINING_CHECKPOINT_SECONDS", "0")
    upload = uploaded(http)
    once, often = (begin(http, upload, name).json()["id"] for name in ("anna", "boris"))
    killed(once, 5)
    died = 0
    for _ in range(3):
        died = killed(often, 3, died)
    until(lambda: read(http, once)["status"] == "done", 120)
    told = (folder_of(once) / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in told] == list(range(1, read(http, once)["steps"] + 1))
    until(lambda: read(http, often)["status"] == "failed", 60)
    assert not (folder_of(often) / "corpus").exists()
    assert not (folder_of(often) / "run").exists()
    assert {card["id"] for card in http.get("/v1/voices").json()["data"]} == {"anna"}


def test_what_cannot_be_learned_is_told_in_words(http: httpx2.Client, home: Path) -> None:
    upload = uploaded(http, export(8))
    id = begin(http, upload, "anna").json()["id"]
    wait_for(folder_of(id))
    failed = read(http, id)
    assert failed["status"] == "failed"
    assert failed["error"]["message"]
    assert str(home) not in str(failed)
    unknown = begin(http, upload, "anna", speaker="Вера")
    assert unknown.status_code == 400
    assert "Аня" in unknown.json()["error"]["message"]
    assert begin(http, upload, "../anna").status_code == 400
    assert begin(http, upload, "anna", base="nobody").status_code == 400
    assert begin(http, "0" * 32, "anna").status_code == 404


def test_nobody_sees_or_stops_the_trainings_of_others(home: Path, tiny_base: Path) -> None:
    keys = {name: {"authorization": f"Bearer {add_key(home / 'keys.json', name)}"} for name in ("web", "bot")}
    guest = {"authorization": f"Bearer {add_key(home / 'keys.json', 'guest', voices=['anna'])}"}
    with serving(home, tiny_base, Keys(home / "keys.json", are_required=True)) as http:
        http.headers.update(keys["web"])
        upload = uploaded(http)
        id = begin(http, upload, "anna").json()["id"]
        assert begin(http, upload, "boris", user="web:boris").status_code == 404
        for who, headers in (("web:boris", keys["web"]), ("web:anna", keys["bot"])):
            asked: dict[str, Any] = {"params": {"user": who}, "headers": headers}
            assert http.get(f"{TRAININGS}/{id}", **asked).status_code == 404
            assert http.post(f"{TRAININGS}/{id}/stop", **asked).status_code == 404
            assert http.get(TRAININGS, **asked).json() == {"data": []}
        http.headers.update(guest)
        for method, path in (("GET", TRAININGS), ("GET", f"{TRAININGS}/{id}"), ("POST", f"{TRAININGS}/{id}/stop")):
            assert http.request(method, path).status_code == 403
        assert begin(http, upload, "anna").status_code == 403
        assert http.post("/v1/voices/anna/report", json={}).status_code == 403
        assert http.post("/v1/voices/anna/trainings", json={}).status_code == 403
        http.headers.update(keys["web"])
        assert http.post(f"{TRAININGS}/{id}/stop", params=USER).status_code == 200
        wait_for(folder_of(id))
        assert read(http, id)["status"] == "stopped"


def test_bases_name_what_lies_ready(http: httpx2.Client) -> None:
    found = {base["id"]: base for base in http.get("/v1/bases").json()["data"]}
    assert found["gemma-3-270m"]["parameters"] > 2e8
    assert not found["gemma-3-270m"]["is_ready"]
    assert found["tiny-gemma3"]["is_ready"]
