"""The catalogue that follows the voices folder: what is added, replaced or removed there needs no restart."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec
from jinja2 import TemplateError
from tokenizers import Tokenizer

from manera.bases import metadata
from manera.bases.base_model import BaseModel
from manera.errors import ManeraError, ModelError
from manera.generation.engine import Engine
from manera.generation.reply import base_writer, voice_writer
from manera.serving.catalogue import Catalogue, Entry
from manera.voice.adapter import learned_file, require_whole
from manera.voice.folder import ADAPTER_GGUF, MANIFEST, voice_folder, voice_names, voices_folder
from manera.voice.manifest import Voice, read_voice, require_base

_log = logging.getLogger(__name__)


class _State(NamedTuple):
    """What tells one state of a file from another."""

    changed_ns: int
    inode: int
    size: int


class FollowedVoices(Catalogue):
    """The base, and the voices as they lie in their folder when asked; names: only these, None is all.

    A voice is called as its folder is, whatever its manifest says: a copied folder is another voice.
    """

    def __init__(
        self, engine: Engine, base: BaseModel, tokenizer: Tokenizer, created: int, names: Collection[str] | None = None
    ) -> None:
        super().__init__(engine, base.id, {base.id: base_writer(base, tokenizer)}, created)
        self.described = base
        self._tokenizer = tokenizer
        self._names = names
        self._read: dict[str, tuple[tuple[_State, _State | None], Entry]] = {}

    def entries(self) -> dict[str, Entry]:
        """Return every voice, usable or not, and the base."""
        voices = {name: self.entry(name) for name in self._present()}
        return {name: entry for name, entry in voices.items() if entry is not None} | dict(super().entries())

    def _present(self) -> list[str]:
        return [name for name in voice_names() if self._names is None or name in self._names]

    def entry(self, model: str) -> Entry | None:
        """Return the base or a voice; a manifest is read again when it has changed."""
        if model == self.base:
            return super().entry(model)
        if self._names is not None and model not in self._names:
            return None
        try:
            folder = voice_folder(model)
        except ModelError:
            return None  # it cannot name a voice
        manifest, learned = _state(folder / MANIFEST), _state(learned_file(folder))
        if manifest is None:
            self._read.pop(model, None)
            return None
        known = self._read.get(model)
        if known is None or known[0] != (manifest, learned):
            known = self._read[model] = ((manifest, learned), self._fresh(model, manifest))
        return known[1]

    def _fresh(self, model: str, manifest: _State) -> Entry:
        created = manifest.changed_ns // 10**9
        try:
            voice = msgspec.structs.replace(read_voice(model), name=model)
            require_base(voice, self.described)
            require_learned(voice)
            return Entry(created, voice_writer(voice, self._tokenizer))
        except (ManeraError, OSError, TemplateError) as error:
            _log.warning("the voice %r cannot be used: %s", model, error)
            return Entry(created, _told(error))


def require_learned(voice: Voice) -> None:
    """Raise ModelError unless what a voice learned is there and whole: an engine would tell only at a reply."""
    path = learned_file(voice_folder(voice.name))
    needs_gguf = voice.base.form == "gguf" and not voice.recipe.stands_alone
    if not path.is_file() or (path.name != ADAPTER_GGUF and needs_gguf):
        raise ModelError("its adapter is missing", "train the voice again")
    try:
        if path.name == ADAPTER_GGUF:
            metadata.open_gguf(path)
        else:
            require_whole(path)
    except (ModelError, IndexError) as error:
        raise ModelError("its adapter is damaged", "train the voice again") from error


def _told(error: Exception) -> ManeraError:
    """Return what a client may know: nothing of where things lie on this machine."""
    if isinstance(error, ManeraError):
        return ModelError(error.message.replace(f"{voices_folder()}/", ""), error.hint)
    return ModelError("its manifest cannot be read" if isinstance(error, OSError) else "its chat template is broken")


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _State(found.st_mtime_ns, found.st_ino, found.st_size)
