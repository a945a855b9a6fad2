"""``manera serve``: voices over HTTP; ``manera keys``: who may ask for them."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI

from manera import config
from manera.bases import base_model
from manera.bases.base_model import BaseModel
from manera.cli import console
from manera.cli.opening import open_base, open_merged, prepared, warn_of_idle_adapters
from manera.errors import ManeraError, ServingError
from manera.generation.reply import Writer, voice_writer
from manera.serving.app import create_app
from manera.serving.border import LOOPBACK_NAMES
from manera.serving.catalogue import Catalogue
from manera.serving.keys import Keys, add_key, keys_file, read_keys, revoke_key
from manera.serving.limits import Limits
from manera.serving.listening import is_loopback
from manera.serving.listening import serve as serve_app
from manera.serving.service import Bounds
from manera.serving.voices import FollowedVoices, require_adapter
from manera.voice.folder import ADAPTER_GGUF, MANIFEST, voice_folder, voice_names
from manera.voice.manifest import read_voice, require_base


def serve(
    names: Sequence[str],
    host: str,
    port: int,
    bounds: Bounds,
    limits: str,
    engine_name: str = "llama.cpp",
    urls: Sequence[str] = (),
    merge: bool = False,
) -> None:
    """Serve voices until SIGTERM or Ctrl-C; none named is all of the newest base, those to come included."""
    require_keys(host)
    if merge and (len(names) != 1 or urls or engine_name != "llama.cpp"):
        raise ServingError("--merge folds one voice into its base, for llama.cpp", "manera serve VOICE --merge")
    opened = merged_voice(names[0], bounds.slots) if merge else voices(names, bounds.slots, engine_name, urls)
    with opened as catalogue:
        tell(catalogue, host, port)
        serve_app(application(catalogue, host, bounds, limits), host, port)


@contextmanager
def voices(names: Sequence[str], slots: int, engine_name: str, urls: Sequence[str]) -> Iterator[Catalogue]:
    """Open the base and the voices on it, as they come and go."""
    base = chosen_base(names)
    described = base_model.read(base)
    created = int((base / "base.json").stat().st_mtime)
    usable = [name for name in names or voice_names() if fits(name, described)]
    with open_base(base, usable, slots, engine_name, urls) as engine:
        followed = frozenset(names) if names else None
        catalogue = FollowedVoices(engine, described, base_model.load_tokenizer(base), created, followed)
        entries = (catalogue.entry(name) for name in usable if not urls)
        warn_of_idle_adapters(engine, (e.writer for e in entries if e is not None and isinstance(e.writer, Writer)))
        yield catalogue


@contextmanager
def merged_voice(name: str, slots: int) -> Iterator[Catalogue]:
    """Open one voice folded into its base, as both are now; the base alone is then not there."""
    voice = read_voice(name)
    base = prepared(voice)
    created = int((voice_folder(name) / MANIFEST).stat().st_mtime)
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    with open_merged(voice, base, writer, slots) as engine:
        merged = writer._replace(adapters={}, is_merged=True)
        yield Catalogue(engine, voice.base.id, {name: merged}, created)


def application(catalogue: Catalogue, host: str, bounds: Bounds | None = None, limits: str = "memory://") -> FastAPI:
    """Build the API; on a loopback address it answers to that name only, on any other to keys only."""
    local = is_loopback(host)
    return create_app(
        catalogue,
        bounds=bounds,
        keys=Keys(keys_file(), are_required=not local),
        limits=Limits(limits),
        hosts=LOOPBACK_NAMES | {host} if local else None,
    )


def require_keys(host: str) -> None:
    """Raise ServingError when others could reach the server and no key would keep them out."""
    if not is_loopback(host) and not read_keys(keys_file()):
        raise ServingError(
            f"on {host} anyone who reaches this machine could ask, and there is no key", "manera keys add NAME"
        )


def chosen_base(names: Sequence[str]) -> Path:
    """Return the folder of the base of the first voice that can be read, else the newest base.

    Raises ModelError when a voice is named that is not there.
    """
    for name in names:
        if (voice_folder(name) / MANIFEST).exists():
            try:
                return prepared(read_voice(name))
            except ManeraError as error:
                console.say(f"{name} cannot be served: {error.message}")
        else:
            read_voice(name)
    bases = (config.home() / "bases").glob("*/base.json")
    newest = max(bases, key=lambda described: described.stat().st_mtime, default=None)
    return newest.parent if newest else base_model.prepare()


def fits(name: str, base: BaseModel) -> bool:
    """Tell whether a voice can be read, was trained on this base, and has its adapter whole."""
    try:
        require_base(read_voice(name), base)
        require_adapter(voice_folder(name) / ADAPTER_GGUF)
    except ManeraError:
        return False
    return True


def tell(catalogue: Catalogue, host: str, port: int) -> None:
    """Say what is served, what is not and why, and where."""
    for name, entry in catalogue.entries().items():
        if isinstance(entry.writer, ManeraError):
            console.say(f"not served: {name}: {entry.writer.message}")
    served = [name for name, entry in catalogue.entries().items() if not isinstance(entry.writer, ManeraError)]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    console.say(f"serving {', '.join(served)} on {address}/v1   docs: {address}/docs")


def add(name: str, requests_per_minute: int | None, tokens_per_minute: int | None, voices: str | None) -> None:
    """Make a key and print it on stdout, this once."""
    allowed = None if voices is None else [voice.strip() for voice in voices.split(",") if voice.strip()]
    text = add_key(
        keys_file(), name, requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute, voices=allowed
    )
    console.say(f"the key {name!r}, shown this once:")
    console.show(text)


def show_keys(show_all: bool, as_json: bool) -> None:
    """List the keys: what they may do, never what they are."""
    keys = read_keys(keys_file())
    if as_json:
        listed = [
            {
                "name": key.name,
                "created_at": key.created_at,
                "requests_per_minute": key.requests_per_minute,
                "tokens_per_minute": key.tokens_per_minute,
                "voices": key.voices,
            }
            for key in keys
        ]
        console.result({"keys": listed})
        return
    rows = [
        (
            key.name,
            key.created_at,
            key.requests_per_minute or "any",
            key.tokens_per_minute or "any",
            "all" if key.voices is None else ", ".join(key.voices),
        )
        for key in keys
    ]
    limit = None if show_all else console.FIRST_ROWS
    console.show_table(("key", "made", "requests a minute", "tokens a minute", "models"), rows, limit)


def revoke(name: str) -> None:
    """Take a key away; running servers refuse it from the next request on."""
    revoke_key(keys_file(), name)
    console.show(f"revoked {name!r}")
    if not read_keys(keys_file()):
        console.say(f"no key is left: on loopback anyone may ask now; make one: manera keys add {shlex.quote(name)}")
