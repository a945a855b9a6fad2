"""A voice exported in a process, sent as one zip archive, and not kept."""

import time
import zipfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Literal

import msgspec

from manera.bases import base_model
from manera.exports.folder import export
from manera.jobs.folder import Failure, Tenant
from manera.voice.manifest import read_voice

EXPORTS = "exports"
EXPORTED = "exported"
_CHUNK = 1 << 20

Target = Literal["peft", "merged", "gguf", "ollama", "vllm"]


class ExportOrder(msgspec.Struct, frozen=True, tag="export"):
    """Which voice is exported, for which programs."""

    tenant: Tenant
    created_ns: int
    voice: str
    to: Target


class Outcome(msgspec.Struct, frozen=True):
    """Why there is no export, if there is none."""

    error: Failure | None = None


def order_of(tenant: Tenant, voice: str, to: Target) -> ExportOrder:
    """Write down what is wanted."""
    return ExportOrder(tenant, time.time_ns(), voice, to)


def write_export(folder: Path, order: ExportOrder) -> None:
    """Write the export into the job's folder; raise ManeraError where that is not the voice."""
    voice = read_voice(order.voice)
    export(voice, base_model.prepare_for(voice.base), order.to, folder / EXPORTED, "bfloat16", replace=False)


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """Yield a folder as a zip archive while it is read; name: what it is unpacked as. Nothing is compressed."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo.from_file(path, f"{name}/{path.relative_to(folder).as_posix()}")
            with path.open("rb") as content, archive.open(entry, "w", force_zip64=True) as out:
                while chunk := content.read(_CHUNK):
                    out.write(chunk)
                    yield pipe.taken()
    yield pipe.taken()


class _Pipe(RawIOBase):
    """What an archive writes, until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        content = bytes(memoryview(data))  # type: ignore[arg-type]  # any buffer
        self._written += content
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        content = bytes(self._written)
        self._written.clear()
        return content
