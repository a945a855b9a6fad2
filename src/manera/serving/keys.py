"""Who may ask: keys, of which only hashes are kept.

keys.json     a list of Key, readable by its owner only
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from manera import config
from manera.errors import ServingError
from manera.files import replacing

PREFIX = "manera-"
VARIABLE = "MANERA_API_KEY"
"""A key may also stand in the environment, of the API as of those who ask it: containers share one that way."""

MIN_CHARACTERS = 20
_RANDOM_BYTES = 32


class KeysError(ServingError):
    """The keys cannot be read: nobody is let in."""


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key: the SHA-256 of its text, and what it may do; None is no limit.

    The text is 256 random bits, which no dictionary holds: a slow hash would protect nothing more.
    """

    name: str
    sha256: str
    created_at: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    voices: tuple[str, ...] | None = None


def keys_file() -> Path:
    """Return where the keys are kept."""
    return config.home() / "keys.json"


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys, none where there is no file; raise KeysError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Key, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise KeysError(f"{path} cannot be read: {error}", "mend it, or remove it and add the keys anew") from error


def key_of_environment() -> Key | None:
    """Return the key in the environment, which may do everything; raise ServingError when it could be guessed."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    if len(text) < MIN_CHARACTERS:
        raise ServingError(
            f"{VARIABLE} has {len(text)} characters and could be guessed: {MIN_CHARACTERS} at least",
            "openssl rand -hex 32",
        )
    return Key(VARIABLE, _digest(text), datetime.now(UTC).isoformat(timespec="seconds"))


def add_key(
    path: Path,
    name: str,
    *,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    voices: Sequence[str] | None = None,
) -> str:
    """Make a key and return its text, which is written nowhere; raise ServingError when the name is taken."""
    keys = read_keys(path)
    if any(key.name == name for key in keys):
        raise ServingError(f"there is a key {name!r} already", f"manera keys revoke {name}")
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    allowed = None if voices is None else tuple(voices)
    _write(path, (*keys, Key(name, _digest(text), created, requests_per_minute, tokens_per_minute, allowed)))
    return text


def revoke_key(path: Path, name: str) -> None:
    """Take a key away: the next request that comes with it is refused; raise ServingError when there is none."""
    keys = read_keys(path)
    kept = tuple(key for key in keys if key.name != name)
    if len(kept) == len(keys):
        raise ServingError(f"there is no key {name!r}", "manera keys list")
    _write(path, kept)


def _write(path: Path, keys: Sequence[Key]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(path) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(keys)))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()


class Keys:
    """The keys as they are on disk when asked, a changed file is read again; and one that is on no disk.

    are_required: ask for a key even where there is none: the server can be reached from elsewhere.
    """

    def __init__(self, path: Path, are_required: bool, unstored: Key | None = None) -> None:
        self._path = path
        self._are_required = are_required
        self._unstored = () if unstored is None else (unstored,)
        self._state: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def are_asked_for(self) -> bool:
        """Tell whether a request needs a key; raise KeysError."""
        return self._are_required or bool(self._unstored or self._current())

    def find(self, text: str) -> Key | None:
        """Return the key with this text; raise KeysError."""
        digest = _digest(text)
        known = (*self._unstored, *self._current())
        return next((key for key in known if hmac.compare_digest(key.sha256, digest)), None)

    def _current(self) -> tuple[Key, ...]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._state, self._keys = None, ()
            return ()
        state = (found.st_mtime_ns, found.st_ino)
        if state != self._state:
            self._keys, self._state = read_keys(self._path), state
        return self._keys
