"""A hub on loopback, which speaks as much of Hugging Face's protocol as fetching a model takes."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response

from running import running

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_reader"


class Hub:
    """Repositories by id, each a folder; gated: those that only TOKEN may read; cut: files that end too early."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.gated: set[str] = set()
        self.cut: set[str] = set()
        self.fetched: list[str] = []
        self.app = FastAPI()
        route = self.app.api_route
        route("/api/models/{owner}/{name}", methods=["GET"])(self.info)
        route("/api/models/{owner}/{name}/revision/{revision}", methods=["GET"])(self.info)
        route("/api/models/{owner}/{name}/tree/{revision}", methods=["GET"])(self.tree)
        route("/{owner}/{name}/resolve/{revision}/{file}", methods=["GET", "HEAD"])(self.resolve)

    def _folder(self, owner: str, name: str) -> Path | None:
        return self.repositories.get(f"{owner}/{name}")

    async def info(self, owner: str, name: str, revision: str = "main") -> Response:
        folder = self._folder(owner, name)
        if folder is None:
            return _refused(401, "RepoNotFound")
        if revision not in ("main", COMMIT):
            return _refused(404, "RevisionNotFound")
        files = [{"rfilename": path.name} for path in sorted(folder.iterdir())]
        return _answer({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": files})

    async def tree(self, owner: str, name: str, revision: str) -> Response:
        folder = self._folder(owner, name)
        assert folder is not None
        assert revision == COMMIT
        files = sorted(folder.iterdir())
        return _answer(
            [{"type": "file", "path": path.name, "size": path.stat().st_size, "oid": _tag(path)} for path in files]
        )

    async def resolve(self, http: Request, owner: str, name: str, revision: str, file: str) -> Response:
        folder = self._folder(owner, name)
        assert folder is not None
        assert revision == COMMIT
        if f"{owner}/{name}" in self.gated and http.headers.get("authorization") != f"Bearer {TOKEN}":
            return _refused(401, "GatedRepo")
        path = folder / file
        content = path.read_bytes()
        headers = {"ETag": f'"{_tag(path)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}
        if http.method == "HEAD":
            return Response(headers=headers)
        self.fetched.append(file)
        if file in self.cut:
            return Response(status_code=503)
        return Response(content, headers=headers)


def _tag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _answer(document: object) -> Response:
    return Response(json.dumps(document), media_type="application/json")


def _refused(status: int, code: str) -> Response:
    return Response(status_code=status, headers={"X-Error-Code": code, "X-Error-Message": code})


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Serve a hub; yield its address."""
    with running(hub.app) as address:
        yield address
