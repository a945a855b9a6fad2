"""A file that somebody chose on the page goes on to the API, and is deleted here."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from manera.faces.api import Api

UPLOADED_CHUNK = 1 << 20


async def send(api: Api, path: str, user: str) -> dict[str, Any]:
    """Hand a file on, delete it whatever comes of it, and return its upload; raise ApiError."""
    file = Path(path)
    try:
        sent: dict[str, Any] = await api.upload("/v1/uploads", _chunks(file), filename=file.name, user=user)
    finally:
        file.unlink(missing_ok=True)
    return sent


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(UPLOADED_CHUNK):
            yield chunk
