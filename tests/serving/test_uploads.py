"""Uploads: received whole or not at all, read in a process of their own, seen by their owner only, and then deleted."""

import io
import json
import socket
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.jobs import uploads
from manera.jobs.folder import ORDER, jobs_folder, read_record
from manera.jobs.running import wait_for
from manera.jobs.settings import JobsConfig
from manera.jobs.uploads import UploadOrder
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.keys import Keys, add_key
from running import running
from waiting import until

UPLOADS = "/v1/uploads"


def export() -> bytes:
    messages = [
        {
            "id": number,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + 60 * number),
            "from": ("Аня", "Боря")[number % 2],
            "from_id": f"user{number % 2 + 1}",
            "text": f"Ну что, сегодня пойдём гулять в {number} раз?",
        }
        for number in range(30)
    ]
    return json.dumps({"name": "Боря", "type": "personal_chat", "id": 2, "messages": messages}).encode()


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def serve(home: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[Callable[..., httpx2.Client]]:
    """Serve with the settings of the moment; keys, where some are to be asked for."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(keys: Keys | None = None) -> httpx2.Client:
            app = create_app(Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0), keys=keys)
            url = stack.enter_context(running(app))
            return stack.enter_context(httpx2.Client(base_url=url, timeout=30))

        yield start


@pytest.fixture
def http(serve: Callable[..., httpx2.Client]) -> httpx2.Client:
    return serve()


def upload(http: httpx2.Client, name: str, content: bytes, user: str = "web:anna", **more: Any) -> httpx2.Response:
    return http.post(UPLOADS, params={"filename": name, "user": user}, content=content, **more)


def imported(http: httpx2.Client, name: str, content: bytes) -> Any:
    """Upload a file and wait for its import."""
    sent = upload(http, name, content)
    assert sent.status_code == 201, sent.text
    wait_for(jobs_folder("uploads") / sent.json()["id"])
    return http.get(f"{UPLOADS}/{sent.json()['id']}", params={"user": "web:anna"}).json()


def left(home: Path) -> list[str]:
    """What lies where uploads are kept."""
    folder = home / "uploads"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_export_is_imported_and_the_file_deleted(http: httpx2.Client, home: Path) -> None:
    sent = upload(http, "result.json", export())
    assert sent.status_code == 201
    assert sent.json()["status"] in ("importing", "ready")
    assert (sent.json()["filename"], sent.json()["bytes"]) == ("result.json", len(export()))
    folder = home / "uploads" / sent.json()["id"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    wait_for(folder)
    found = http.get(f"{UPLOADS}/{folder.name}", params={"user": "web:anna"}).json()
    assert found["status"] == "ready", found
    assert [(one["name"], one["utterances"]) for one in found["speakers"]] == [("Аня", 15), ("Боря", 15)]
    assert all(len(one["samples"]) == 3 for one in found["speakers"])
    assert found["ledger"]["kept"] == 30
    assert found["kinds"] == {"message": 30}
    assert not (folder / "raw").exists()


def test_archive_of_an_export_is_imported(http: httpx2.Client) -> None:
    packed = {"ChatExport/result.json": export(), "ChatExport/photos/1.jpg": b"\xff\xd8\xff", "__MACOSX/._x": b"x"}
    found = imported(http, "Чат.zip", archive(packed))
    assert found["status"] == "ready"
    assert found["ledger"]["kept"] == 30
    assert {skipped["reason"] for skipped in found["ledger"]["skipped"]} == {
        "attachment of a Telegram export",
        "hidden file",
    }


def bomb() -> bytes:
    return archive({"a.txt": b"0" * 100_000_000})


def link() -> bytes:
    entry = zipfile.ZipInfo("passwords.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr(entry, "/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.zip", archive({"../../evil.txt": b"x"}), "leads out of its archive"),
        ("a.zip", archive({"/etc/evil.txt": b"x"}), "leads out of its archive"),
        ("a.zip", archive({"C:\\evil.txt": b"x"}), "leads out of its archive"),
        ("a.zip", link(), "link in an archive"),
        ("a.zip", bomb(), "broken file"),
        ("a.zip", archive({}), "no files"),
        ("a.zip", b"PK\x03\x04 no archive", "cannot be unpacked"),
        ("a.zip", archive({"1.txt": b"some words " * 100})[:-40], "cannot be unpacked"),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(1000), "photo.jpg"),
        ("result.json", b'{"messages": [', "result.json"),
    ],
    ids=[
        *("outside", "absolute", "drive", "link", "bomb", "empty", "no-archive", "cut-off", "photo"),
        "broken-json",
    ],
)
def test_what_cannot_be_read_is_told_in_words(
    serve: Callable[..., httpx2.Client],
    home: Path,
    name: str,
    content: bytes,
    told: str,
) -> None:
    found = imported(serve(), name, content)
    assert found["status"] == "failed"
    assert told in found["error"]["message"]
    assert str(home) not in json.dumps(found)
    assert not list(home.rglob("evil*"))
    assert not list(home.rglob("raw"))


def test_too_large_a_file_is_refused_and_leaves_nothing(
    serve: Callable[..., httpx2.Client], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_JOBS_MAX_UPLOAD_BYTES", "2000000")
    http = serve()
    assert upload(http, "chat.json", bytes(2_000_001)).status_code == 413
    chunks = (bytes(100_000) for _ in range(25))
    answer = http.post(UPLOADS, params={"filename": "chat.json"}, content=chunks)  # without a content-length
    assert answer.status_code == 413
    assert "2000000 bytes" in answer.json()["error"]["message"]
    assert left(home) == []
    assert (
        imported(http, "result.json", export() + b" " * 1_500_000)["status"] == "ready"
    )  # more than other requests may


def test_empty_file_is_refused(http: httpx2.Client, home: Path) -> None:
    answer = upload(http, "chat.json", b"")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "job_refused")
    assert left(home) == []


def test_browser_that_leaves_in_the_middle_leaves_nothing(http: httpx2.Client, home: Path) -> None:
    address = ("127.0.0.1", int(str(http.base_url).rstrip("/").rpartition(":")[2]))
    head = f"POST {UPLOADS}?filename=chat.json HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5000000\r\n\r\n"
    with socket.create_connection(address, timeout=20) as opened:
        opened.sendall(head.encode() + bytes(3_000_000))
        until(lambda: left(home) != [])
    until(lambda: left(home) == [])


def test_name_of_a_file_is_only_a_name() -> None:
    assert uploads.safe_name("../../etc/passwd") == "passwd"
    assert uploads.safe_name("C:\\Users\\Аня\\чат.json") == "чат.json"
    assert uploads.safe_name("..") == uploads.safe_name("/") == "upload"
    assert uploads.safe_name("a\0b\n.txt") == "a b .txt"
    assert len(uploads.safe_name("я" * 500 + ".txt").encode()) <= 204


def test_nobody_sees_the_uploads_of_others(serve: Callable[..., httpx2.Client], home: Path) -> None:
    keys = {name: add_key(home / "keys.json", name) for name in ("web", "bot")}
    guest = add_key(home / "keys.json", "guest", voices=["anna"])
    http = serve(Keys(home / "keys.json", are_required=True))

    def asked(key: str, user: str) -> dict[str, Any]:
        return {"params": {"user": user}, "headers": {"authorization": f"Bearer {key}"}}

    sent = http.post(
        UPLOADS,
        params={"filename": "result.json", "user": "anna"},
        content=export(),
        headers={"authorization": f"Bearer {keys['web']}"},
    )
    path = f"{UPLOADS}/{sent.json()['id']}"
    wait_for(home / "uploads" / sent.json()["id"])
    assert http.get(path, **asked(keys["web"], "anna")).json()["status"] == "ready"
    unknown = http.get(f"{UPLOADS}/{'0' * 32}", **asked(keys["web"], "anna"))
    for key, user in ((keys["web"], "boris"), (keys["bot"], "anna"), (keys["web"], "")):
        for method in ("GET", "DELETE"):
            foreign = http.request(method, path, **asked(key, user))
            assert foreign.status_code == 404
            assert foreign.text.replace(sent.json()["id"], "0" * 32) == unknown.text
    assert http.get(path, **asked(guest, "anna")).status_code == 403
    assert http.post(UPLOADS, content=b"x", headers={"authorization": f"Bearer {guest}"}).status_code in (400, 403)
    assert http.get(path).status_code == 401
    assert http.delete(path, **asked(keys["web"], "anna")).status_code == 204
    assert http.get(path, **asked(keys["web"], "anna")).status_code == 404
    assert left(home) == []


def test_killed_import_is_told_as_failed_and_its_file_is_gone(http: httpx2.Client, home: Path) -> None:
    found = imported(http, "result.json", export())
    folder = home / "uploads" / found["id"]
    (folder / "state.json").unlink()  # as if its process had been killed before it wrote that
    (folder / "raw").mkdir()
    failed = http.get(f"{UPLOADS}/{found['id']}", params={"user": "web:anna"}).json()
    assert failed["status"] == "failed"
    assert "broke off" in failed["error"]["message"]
    assert not (folder / "raw").exists()


def test_old_uploads_are_deleted_with_the_next(http: httpx2.Client, home: Path) -> None:
    found = imported(http, "result.json", export())
    uploads.sweep(JobsConfig(upload_hours=24))
    assert left(home) == [found["id"]]
    order = read_record(home / "uploads" / found["id"] / ORDER, UploadOrder)
    assert order is not None
    uploads.sweep(JobsConfig(upload_hours=1e-6))
    assert left(home) == []
