"""``manera export``: the folder, and a table of what was checked about it."""

from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from manera.bases import base_model
from manera.cli import console
from manera.errors import SettingsError
from manera.exports import hub
from manera.exports.folder import Exported, Format, export
from manera.exports.hugging_face import Dtype
from manera.voice.manifest import read_voice


class Destination(NamedTuple):
    """Where a hub's folder goes."""

    repository: str | None
    public: bool
    dry_run: bool


def export_voice(
    name: str, to: str, out: Path | None, dtype: str, replace: bool, destination: Destination | None, as_json: bool
) -> None:
    """Export a voice, show the checks, and upload the folder where that is asked for."""
    voice = read_voice(name)
    format_: Format = _one_of("--to", to, get_args(Format))
    stored: Dtype = _one_of("--dtype", dtype, get_args(Dtype))
    if destination and not destination.dry_run and destination.repository is None:
        raise SettingsError("no repository to upload to", "--repository USER/NAME, or --dry-run")
    folder = out or Path(f"{name}-{to}")
    if base_model.find_built(voice.base) is None:
        console.say("building the base (once, about half a minute)")
    base = base_model.prepare_for(voice.base)
    console.say(f"writing {folder} and comparing it with the voice")
    exported = export(voice, base, format_, folder, stored, replace)
    files = hub.planned(folder)
    if not as_json:
        _show(exported, folder, files if destination else [])
    address = _upload(folder, destination) if destination else None
    if as_json:
        told = {file.path: file.size for file in files}
        console.result({"folder": str(folder), **msgspec.to_builtins(exported), "files": told, "address": address})
    elif address:
        console.show(address)


def _one_of(flag: str, given: str, known: tuple[str, ...]) -> Any:
    if given not in known:
        raise SettingsError(f"{flag} {given!r} is not known", f"known: {', '.join(known)}")
    return given


def _show(exported: Exported, folder: Path, files: list[hub.Planned]) -> None:
    rows = [(c.name, f"{c.share:.1%}", f"{c.least:.1%}", c.counted) for c in exported.checks]
    console.show_table(("compared with the voice", "alike", "at least", "of"), rows)
    console.show(f"{folder} is ready: its README.md says how it is loaded")
    if files:
        console.show_table(("file", "bytes"), files)


def _upload(folder: Path, destination: Destination) -> str | None:
    """Upload, or only say who would see it; return the commit's address."""
    seen_by = "everybody" if destination.public else "you alone"
    verb = "would upload" if destination.dry_run else "uploading"
    console.say(f"{verb}, to be seen by {seen_by}")
    if destination.dry_run or destination.repository is None:
        return None
    return hub.upload(folder, destination.repository, destination.public)
