"""The hub: what is uploaded, to whom it is visible, and how a card reads; against a server of the same protocol."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import msgspec
import pytest
from fastapi import FastAPI, Request, Response

from exported import MakeVoice
from manera.errors import EvaluationError, ExportError
from manera.evaluation.budget import FAST
from manera.evaluation.report.document import Report, write_report
from manera.evaluation.report.metric import Metric
from manera.exports import hub
from manera.exports.card import card as write_card
from manera.exports.folder import export
from manera.voice.folder import voice_folder
from manera.voice.manifest import Sharpness, Voice
from running import running

TOKEN = "hf_secret"
# of huggingface_hub's own, when it sends a large file
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


class Hub:
    """Hugging Face's upload protocol, in memory: repositories, regular files and large ones."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()
        self.app = FastAPI()
        route = self.app.api_route
        self.app.middleware("http")(self.check)
        route("/api/repos/create", methods=["POST"])(self.create)
        route("/api/validate-yaml", methods=["POST"])(self.validate)
        route("/api/models/{user}/{name}", methods=["GET"])(self.info)
        route("/api/models/{user}/{name}/preupload/main", methods=["POST"])(self.preupload)
        route("/{user}/{name}.git/info/lfs/objects/batch", methods=["POST"])(self.batch)
        route("/large/{oid}", methods=["PUT"])(self.put)
        route("/api/models/{user}/{name}/commit/main", methods=["POST"])(self.commit)

    async def check(self, http: Request, follow):  # type: ignore[no-untyped-def]
        if not http.url.path.startswith("/large"):
            self.tokens.add(http.headers.get("authorization"))
            if http.headers.get("authorization") != f"Bearer {TOKEN}":
                return Response(status_code=401)
        return await follow(http)

    async def create(self, http: Request) -> Response:
        asked = await http.json()
        name = f"{asked.get('organization', 'me')}/{asked['name']}"
        known = name in self.private
        self.private.setdefault(name, asked.get("visibility") == "private" or asked.get("private", False))
        return reply({"url": f"{http.base_url}{name}", "name": name, "id": name}, 409 if known else 200)

    async def validate(self) -> Response:
        return reply({"errors": [], "warnings": []})

    async def info(self, user: str, name: str) -> Response:
        return reply({"id": f"{user}/{name}", "private": self.private[f"{user}/{name}"], "siblings": []})

    async def preupload(self, http: Request) -> Response:
        files = (await http.json())["files"]
        return reply({"files": [{"path": f["path"], "uploadMode": mode(f), "shouldIgnore": False} for f in files]})

    async def batch(self, http: Request) -> Response:
        objects = (await http.json())["objects"]
        for asked in objects:
            asked["actions"] = {"upload": {"href": f"{http.base_url}large/{asked['oid']}", "header": {}}}
        return reply({"transfer": "basic", "objects": objects})

    async def put(self, oid: str, http: Request) -> Response:
        content = await http.body()
        assert hashlib.sha256(content).hexdigest() == oid
        self.large[oid] = content
        return Response()

    async def commit(self, user: str, name: str, http: Request) -> Response:
        for line in (await http.body()).splitlines():
            told = json.loads(line)
            if told["key"] == "file":
                self.files[told["value"]["path"]] = base64.b64decode(told["value"]["content"])
            elif told["key"] == "lfsFile":
                self.files[told["value"]["path"]] = self.large[told["value"]["oid"]]
        return reply({"commitUrl": f"{http.base_url}{user}/{name}/commit/1", "commitOid": "1", "success": True})


def mode(file: dict[str, str]) -> str:
    return "lfs" if file["path"].endswith((".safetensors", ".gguf")) else "regular"


def reply(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, media_type="application/json")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # content goes by Git LFS, which is open, and not by Xet, whose storage cannot be stood in for
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub_ = Hub()
    with running(hub_.app) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub_


@pytest.fixture
def folder(make_voice: MakeVoice, tiny_base: Path, tmp_path: Path) -> Path:
    voice: Voice = make_voice("post")
    export(voice, tiny_base, "hub", tmp_path / "out", "float32", replace=False)
    return tmp_path / "out"


def test_the_whole_folder_is_uploaded_and_private(
    served: Hub, folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    address = hub.upload(folder, "anna/voice", public=False)
    assert address.endswith("/anna/voice/commit/1")
    assert served.private == {"anna/voice": True}
    assert served.files.keys() == {file.path for file in hub.planned(folder)}
    assert all((folder / path).read_bytes() == content for path, content in served.files.items())
    assert served.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in capfd.readouterr().err + caplog.text
    assert "huggingface.co" not in caplog.text


def test_what_is_meant_to_be_private_is_not_put_where_everybody_sees_it(served: Hub, folder: Path) -> None:
    hub.upload(folder, "anna/open", public=True)
    served.files.clear()
    with pytest.raises(ExportError, match="is public already"):
        hub.upload(folder, "anna/open", public=False)
    assert not served.files


def test_a_refusal_says_what_to_do(served: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="cannot name a repository"):
        hub.upload(folder, "a b/c", public=False)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ExportError, match="status 401") as refused:
        hub.upload(folder, "anna/voice", public=False)
    assert "hf_wrong" not in f"{refused.value}{refused.value.hint}"
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ExportError, match="no HF_TOKEN"):
        hub.upload(folder, "anna/voice", public=False)


def test_the_card_is_written_from_manifest_and_report(make_voice: MakeVoice, tiny_base: Path, tmp_path: Path) -> None:
    voice = make_voice("continuation")
    metrics = {
        found.id: found
        for found in (
            Metric("style", 0.25, "bits_per_byte", 1200, 0.2, 0.3, "lower", "stretches"),
            Metric("told apart", 0.75, "area_under_the_curve", 40, None, None, "nearer_half", "texts"),
            Metric("bits_per_byte.against.neighbour", 1.5, "bits_per_byte", 9, 1.4, 1.6, "lower", "stretches"),
            Metric("too little", None, "bits_per_byte", 1, None, None, "lower", "stretches"),
        )
    }
    told = Report(
        voice=voice.name,
        kind=voice.kind,
        created_at="2026-01-01T00:00:00Z",
        manera_version="0.1.0",
        seed=0,
        budget=FAST,
        metrics=metrics,
        recommended=True,
        because="it is closer",
        not_measured={},
        compared_with=("somebody",),
        seconds=1.0,
    )
    report = write_report(told, voice_folder(voice.name))
    export(voice, tiny_base, "hub", tmp_path / "out", "float32", replace=False)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "| style | 0.25 bits per byte | 0.2 to 0.3 | 1,200 | lower |" in card
    assert "| told apart | 0.75 area under the curve |  | 40 | nearer 0.5 |" in card
    assert "too little" not in card
    assert "somebody" not in card
    assert "neighbour" not in card
    assert "\nRecommended: it is closer\n" in card
    assert "| voice | 20.0 | 0.900 |" in card
    assert "\ntemperature 0.8, top_p 0.95, min_p 0.05, repetition_penalty 1.1, max_new_tokens 32.\n" in card
    measured = msgspec.structs.replace(voice, sharpness=Sharpness(0.7, 3.2, 2.96, 2354))
    assert "on 2,354 tokens of validation text: 3.200 nats per token at 0.7, 2.960 at 1.\n" in write_card(
        measured, voice_folder(voice.name), ()
    )
    assert voice.persona.speaker_id not in card
    report.write_text('{"metrics": 3}')
    with pytest.raises(EvaluationError, match="is not a report"):
        export(voice, tiny_base, "hub", tmp_path / "other", "float32", replace=False)
    report.unlink()


def test_a_hub_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ExportError, match=r"http://127\.0\.0\.1:9 refused anna/voice: ConnectError"):
        hub.upload(folder, "anna/voice", public=False)
