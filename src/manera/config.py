"""Where manera keeps its things, and how settings are resolved.

Order: default < manera.toml < ``MANERA_*`` environment < flags. Plain dicts are merged first,
validated once, and frozen.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from manera.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import BaseModel

    Section = TypeVar("Section", bound=BaseModel)

SETTINGS_FILE = Path("manera.toml")


def home() -> Path:
    """Return the folder of voices, bases and default corpora: ``MANERA_HOME``, else the platform's."""
    configured = os.environ.get("MANERA_HOME")
    if configured:
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("manera", appauthor=False))


def let_threads_sleep() -> None:
    """Let OpenMP's threads look for each other 1,000 times and then sleep; to be called before torch or llama.cpp load.

    By default they hardly ever sleep: where another program takes a core, training falls from 480 tokens a second to
    75, and llama.cpp from 100 to below 10. With this it writes 40 there, and as fast as before on an idle machine.
    """
    if "OMP_WAIT_POLICY" not in os.environ:  # left alone where the user has decided
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def use_large_pages() -> None:
    """Let torch ask the kernel for pages of 2 MB; to be called before torch allocates.

    What a step computes is gigabytes, taken and given back layer by layer, and every page of it faults once: with pages
    of 4 KB that is some 30,000 faults a second, and a tenth to a fifth of the step.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def resolve(
    section: "type[Section]", name: str, flags: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> "Section":
    """Return one floor's settings.

    A flag that is None was not given. ``MANERA_TRAINING_RANK=8`` sets ``rank`` of ``[training]``. defaults: what
    everything else goes before.
    Raises SettingsError with every offending name and value.
    """
    from pydantic import ValidationError

    values: dict[str, Any] = dict(defaults or {}) | dict(_file_section(name))
    prefix = f"MANERA_{name.upper()}_"
    values |= {key[len(prefix) :].lower(): value for key, value in os.environ.items() if key.startswith(prefix)}
    values |= {key: value for key, value in flags.items() if value is not None}
    try:
        return section.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["input"], fault["msg"]) for fault in error.errors())
        raise SettingsError(
            f"settings of [{name}] cannot be used: {faults}",
            f"look at [{name}] in {SETTINGS_FILE}, at {prefix}* in the environment, and at the flags",
        ) from error


def _fault(place: tuple[int | str, ...], given: object, message: str) -> str:
    """Say what is wrong with one setting, or, where no place is named, with how several go together."""
    message = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, place))} = {given!r}: {message}" if place else message


def _file_section(name: str) -> Mapping[str, Any]:
    if not SETTINGS_FILE.is_file():
        return {}
    try:
        section = tomllib.loads(SETTINGS_FILE.read_text("utf-8")).get(name, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{SETTINGS_FILE} is not valid TOML: {error}", "mend that line, or move the file away"
        ) from error
    if not isinstance(section, dict):
        raise SettingsError(f"[{name}] in {SETTINGS_FILE} is not a table", f"write it as a table: [{name}]")
    return section
