"""A voice exported: a folder for one kind of program, written beside its place, checked, and only then put there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec

from manera.bases import base_model
from manera.errors import ExportError
from manera.exports import gguf_model, hugging_face, transformers_parity, vllm
from manera.exports.card import card
from manera.exports.hugging_face import Dtype
from manera.exports.ollama import modelfile
from manera.exports.parity import Check, compared, require
from manera.exports.readme import readme
from manera.exports.terms import write_terms
from manera.files import remove_abandoned, replacing_folder
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice, require_base

Format = Literal["peft", "merged", "gguf", "ollama", "vllm", "hub"]
RECORD = "export.json"
"""What an export says of itself; a folder without it is never replaced."""


class Exported(msgspec.Struct, frozen=True):
    """What was written, and how far it agrees with the voice."""

    voice: str
    format: Format
    checks: Sequence[Check]
    manera_version: str


def export(voice: Voice, base: Path, to: Format, folder: Path, dtype: Dtype, replace: bool) -> Exported:
    """Write a folder that other programs load, or nothing.

    Raises ExportError when the place is taken, or when what was written is not the voice.
    """
    require_base(voice, base_model.read(base))
    remove_abandoned(folder.parent)
    _require_free(folder, replace)
    with _writable(folder), replacing_folder(folder) as new:
        checks = _write(voice, base, to, new, dtype)
        require(checks)
        page = card(voice, voice_folder(voice.name), checks) if to == "hub" else readme(voice, to, checks)
        (new / "README.md").write_text(page, "utf-8")
        write_terms(voice.base.id, new)
        exported = Exported(voice.name, to, checks, version("manera"))
        (new / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(exported)))
    return exported


def _write(voice: Voice, base: Path, to: Format, folder: Path, dtype: Dtype) -> list[Check]:
    _require_possible(voice, to)
    own = voice_folder(voice.name)
    state = adapter.read(own)
    same = compared(voice, base, own)
    if to in ("merged", "hub"):
        hugging_face.write_model(voice, base, folder, dtype, state)
        return transformers_parity.check(folder, None, same)
    if to in ("gguf", "ollama"):
        path = folder / f"{voice.name}.gguf"
        gguf_model.write_model(voice, base, state, path)
        if to == "ollama":
            (folder / "Modelfile").write_text(modelfile(voice, path.name), "utf-8")
        return gguf_model.check(path, same)
    for name in ("base", "adapter"):
        (folder / name).mkdir()
    hugging_face.write_model(voice, base, folder / "base", dtype)
    recipe, family = voice.recipe, base_model.family(base)
    adapter.write_peft(
        state,
        folder / "adapter",
        recipe.rank,
        recipe.alpha,
        "base",
        family.transposed,
        recipe.method,
        family.has_encoder,
        voice.base.vocabulary,
    )
    if to == "vllm":
        vllm.write(voice, folder)
    return transformers_parity.check(folder / "base", folder / "adapter", same)


def _require_possible(voice: Voice, to: Format) -> None:
    """Raise ExportError for what no format of adapters holds, or the program that reads it cannot apply."""
    method = voice.recipe.method
    if voice.base.form == "transformers":
        raise ExportError(
            f"the voice {voice.name!r} is of {voice.base.id}, whose voices are not exported: llama.cpp computes no "
            f"{voice.base.architecture}",
            f"peft reads what it learned from {voice_folder(voice.name)}",
        )
    if method == "full" and to in ("peft", "vllm"):
        raise ExportError(f"the voice {voice.name!r} changed its whole base and has no adapter", "--to merged")
    if method == "dora" and to == "vllm":
        raise ExportError(f"vLLM applies no DoRA, and the voice {voice.name!r} learned by it", "--to merged")
    if voice.recipe.added_tokens and to == "vllm":
        raise ExportError(f"vLLM adds no tokens to a base, and the voice {voice.name!r} has some", "--to merged")


def _require_free(folder: Path, replace: bool) -> None:
    if not folder.exists():
        return
    if not replace:
        raise ExportError(f"{folder} is there already", "--replace, or another place: --out FOLDER")
    if not (folder / RECORD).is_file():
        raise ExportError(f"{folder} is not an export and is not replaced", "another place: --out FOLDER")


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error}", "make room there, or choose: --out FOLDER") from error
