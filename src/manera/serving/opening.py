"""What a server opens before it listens: a base, and the voices on it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manera import config
from manera.bases import base_model
from manera.bases.base_model import BaseModel
from manera.errors import ManeraError
from manera.generation.opening import EngineChoice, Tell, open_base, open_merged, prepared, tell_idle
from manera.generation.reply import Writer
from manera.serving.catalogue import Catalogue
from manera.serving.voices import FollowedVoices, require_learned
from manera.voice.folder import MANIFEST, is_there, voice_folder, voice_names
from manera.voice.manifest import read_voice, require_base


@contextmanager
def open_catalogue(
    names: Sequence[str], slots: int, tell: Tell, engine: EngineChoice | None = None
) -> Iterator[Catalogue]:
    """Open a base and the voices on it, as they come and go; none named is all of the newest base."""
    base = chosen_base(names, tell)
    described = base_model.read(base)
    created = int((base / "base.json").stat().st_mtime)
    usable = [name for name in names or voice_names() if fits(name, described)]
    with open_base(base, usable, slots, engine) as opened:
        followed = frozenset(names) if names else None
        catalogue = FollowedVoices(opened, described, base_model.load_tokenizer(base), created, followed)
        if engine is None or not engine.urls:
            entries = (catalogue.entry(name) for name in usable)
            tell_idle(opened, (e.writer for e in entries if e is not None and isinstance(e.writer, Writer)), tell)
        yield catalogue


@contextmanager
def open_merged_catalogue(name: str, slots: int, tell: Tell) -> Iterator[Catalogue]:
    """Open one voice folded into its base, as both are now; the base alone is then not there."""
    with open_merged(name, slots, tell) as opened:
        created = int((voice_folder(name) / MANIFEST).stat().st_mtime)
        yield Catalogue(opened.engine, opened.base, opened.writers, created)


def chosen_base(names: Sequence[str], tell: Tell) -> Path:
    """Return the folder of the base of the first voice that can be read, else the newest base.

    Raises ModelError when a voice is named that is not there.
    """
    for name in names:
        if is_there(name):
            try:
                return prepared(read_voice(name), tell)
            except ManeraError as error:
                tell(f"{name} cannot be served: {error.message}")
        else:
            read_voice(name)
    bases = (config.home() / "bases").glob("*/base.json")
    newest = max(bases, key=lambda described: described.stat().st_mtime, default=None)
    return newest.parent if newest else base_model.prepare()


def fits(name: str, base: BaseModel) -> bool:
    """Tell whether a voice can be read, was trained on this base, and has its adapter whole."""
    try:
        voice = read_voice(name)
        require_base(voice, base)
        require_learned(voice)
    except ManeraError:
        return False
    return True
