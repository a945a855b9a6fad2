"""Where a base comes from: a package, the Hugging Face Hub, a folder or a file; each lends what its makers gave.

A hub is asked for the files of a language model alone; no code of a repository is ever run.
"""

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from manera.bases.catalogue import catalogued, without_hub
from manera.errors import ModelError
from manera.files import fingerprint

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONFIG = "config.json"
TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
"""What a tokenizer is read from; ``vocab.json`` has its ``merges.txt`` beside it."""

_DESCRIBING = {
    *(CONFIG, "generation_config.json", "chat_template.jinja", *TOKENIZERS, "merges.txt"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
}
_WEIGHTS = (
    ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model-*-of-*.bin", "pytorch_model.bin.index.json"),
)
"""The first kind that is there is taken."""

_INDEX = ".index.json"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT_LFS_POINTER = b"version https://git-lfs"


class _Index(msgspec.Struct):
    """Which file each weight of a model in several files is in."""

    weight_map: dict[str, str]


class Origin(NamedTuple):
    """A base as its makers gave it. files: a GGUF file, or a folder of ``config.json``, weights and a tokenizer.

    revision: names this very content: a commit of the hub, or a SHA-256.
    """

    id: str
    revision: str
    files: Path


class HubId(NamedTuple):
    """A repository of the hub, and which commit, tag or branch of it; None is the newest."""

    repository: str
    revision: str | None = None

    @property
    def base(self) -> str:
        """Return what the base of this repository is called here."""
        known = catalogued(self.repository)
        return known.name if known else self.repository


@contextmanager
def lend(name: str) -> Iterator[Origin]:
    """Lend the files of a catalogued base, of a hub's ``OWNER/NAME`` or ``OWNER/NAME@REVISION``, of a folder, a file.

    Raises ModelError when there is no such base, or it cannot be had.
    """
    known = catalogued(name)
    if known and known.is_packaged:
        with known.whole() as whole:
            yield Origin(known.name, known.sha256, whole)
    elif path := local(name):
        yield read_local(path)
    else:
        yield _fetched(hub_id(name))


def local(name: str) -> Path | None:
    """Return the folder or GGUF file that a name means, if it means one; raise ModelError where that is missing."""
    path = Path(name).expanduser()
    if catalogued(name) is None and path.exists():
        return path
    if name.endswith(".gguf") or name.startswith((".", "/", "~")):
        raise ModelError(f"there is nothing at {path}", "check the path of the base")
    return None


def is_hub_id(name: str) -> bool:
    """Tell whether a name has the form of a hub's."""
    return _HUB_ID.fullmatch(name) is not None


def hub_id(name: str) -> HubId:
    """Read a catalogued name or a hub's, either with or without ``@REVISION``; raise ModelError for anything else."""
    plain, _, revision = name.partition("@")
    if known := catalogued(plain):
        return HubId(known.origin, revision or None)
    if not is_hub_id(name):
        raise ModelError(
            f"there is no base {name!r}: no name that manera bases lists, no hub id, no folder and no GGUF file",
            f"without a hub: {', '.join(without_hub())}; all of them: manera bases",
        )
    return HubId(plain, revision or None)


def pinned(base: str, revision: str) -> str:
    """Return the name that means this very revision of a base; what is packaged has one alone."""
    return f"{base}@{revision}" if _COMMIT.fullmatch(revision) else base


def require_whole(folder: Path) -> None:
    """Raise ModelError unless a folder holds all of a model: its configuration, its weights and its tokenizer."""
    _require_config(folder)
    there = {path.name for path in folder.iterdir()}
    found = _weights(sorted(there))
    weights = [name for name in found if not name.endswith(_INDEX)]
    missing = sorted({shard for index in found if index.endswith(_INDEX) for shard in _shards(folder / index)} - there)
    if missing or not weights:
        what = f"{missing[0]} is missing" if missing else "it has no weights"
        raise ModelError(f"{folder} is no whole model: {what}", "fetch it again; it may be half-downloaded")
    for name in weights:
        _require_readable(folder / name)
    if not there.intersection(TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer", f"put it beside the weights: {', '.join(TOKENIZERS)}")


def _require_config(folder: Path) -> None:
    try:
        json.loads((folder / CONFIG).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is no model: it has no {CONFIG}", "name the folder that holds it") from error
    except ValueError as error:
        raise ModelError(f"{folder / CONFIG} cannot be read: {error}", "fetch the base again") from error


def _require_readable(weights: Path) -> None:
    """Raise ModelError where a file of weights is cut off, or only stands for the real one."""
    from safetensors import SafetensorError, safe_open

    with weights.open("rb") as content:
        if content.read(len(_GIT_LFS_POINTER)) == _GIT_LFS_POINTER:
            raise ModelError(f"{weights} is a pointer of Git LFS, not the weights", "git lfs pull, in that folder")
    try:
        if weights.suffix == ".safetensors":
            with safe_open(weights, "numpy"):
                pass
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights} cannot be read: {error}", "fetch it again; it may be half-downloaded") from error


def _shards(index: Path) -> set[str]:
    try:
        return set(msgspec.json.decode(index.read_bytes(), type=_Index).weight_map.values())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{index} cannot be read: {error}", "fetch the base again") from error


def _weights(names: Sequence[str]) -> list[str]:
    """Return the files of weights among some names, of one kind."""
    kinds = ([name for pattern in kind for name in fnmatch.filter(names, pattern)] for kind in _WEIGHTS)
    return next((found for found in kinds if found), [])


def read_local(path: Path) -> Origin:
    """Return what a folder or a GGUF file holds; raise ModelError unless it is whole."""
    if path.is_file():
        return Origin(path.stem, fingerprint(path).sha256, path)
    require_whole(path)
    names = sorted({file.name for file in path.iterdir()})
    told = "".join(f"{name}:{fingerprint(path / name).sha256}\n" for name in _needed(names))
    return Origin(path.resolve().name, hashlib.sha256(told.encode()).hexdigest(), path)


def _needed(names: Sequence[str]) -> list[str]:
    return [*sorted(_DESCRIBING.intersection(names)), *_weights(names)]


def _fetched(asked: HubId) -> Origin:
    """Fetch from the hub what its cache does not hold; where no hub answers, the cache alone has to do."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        return _downloaded(api, asked)
    except GatedRepoError as error:
        page = f"{api.endpoint}/{asked.repository}"
        raise ModelError(
            f"{asked.repository} is given only to those who accept its terms",
            f"accept them on {page}, then: HF_TOKEN=hf_... and the same command",
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        wanted = asked.repository + (f"@{asked.revision}" if asked.revision else "")
        raise ModelError(
            f"{api.endpoint} has no {wanted}, or shows it to its owners only",
            "check the id; for one of your own: HF_TOKEN=hf_... and the same command",
        ) from error
    except (HTTPError, OSError) as error:
        cached = _cached(asked)
        if cached is None:
            raise _refusal(api.endpoint, asked, error) from error
        return cached


def _downloaded(api: "HfApi", asked: HubId) -> Origin:
    listed = api.model_info(asked.repository, revision=asked.revision)
    names = [file.rfilename for file in listed.siblings or ()]
    if not _weights(names):
        ggufs = [name for name in names if name.endswith(".gguf")]
        raise ModelError(
            f"{asked.repository} has no weights that transformers reads",
            f"download {ggufs[0]} and name that file: --base FILE" if ggufs else "name the repository of the weights",
        )
    # asked for by the same name again, so that the cache is found under it where no hub answers
    folder = Path(api.snapshot_download(asked.repository, revision=asked.revision, allow_patterns=_needed(names)))
    require_whole(folder)
    return Origin(asked.base, folder.name, folder)


def _cached(asked: HubId) -> Origin | None:
    """Return what the hub's cache holds whole from earlier."""
    from huggingface_hub import snapshot_download

    for kind in _WEIGHTS:
        try:
            patterns = [*_DESCRIBING, *kind]
            found = snapshot_download(
                asked.repository, revision=asked.revision, allow_patterns=patterns, local_files_only=True
            )
            require_whole(Path(found))
        except (OSError, ModelError):
            continue
        return Origin(asked.base, Path(found).name, Path(found))
    return None


def _refusal(endpoint: str, asked: HubId, error: Exception) -> ModelError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"status {status}" if status else type(error).__name__
    return ModelError(
        f"{asked.repository} cannot be fetched from {endpoint}: {why}",
        f"try again: what has arrived is kept; bases without a hub: {', '.join(without_hub())}, a folder, a GGUF file",
    )
