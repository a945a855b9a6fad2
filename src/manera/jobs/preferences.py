"""What people preferred: pairs in a voice's folder, for training to come.

voices/<name>/preferences.jsonl     one Preference a line, for its owner alone
             /votes.jsonl           one Vote of the blind game a line
"""

import os
import time
from pathlib import Path
from typing import Literal

import msgspec

from manera.files import read_records
from manera.jobs.folder import Tenant
from manera.jobs.running import alone
from manera.records import Message
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice
from manera.voice.preferences import Pair, preferences_file

VOTES = "votes.jsonl"

PreferenceSource = Literal["thumb", "correction", "game"]


class Preference(Pair, frozen=True, kw_only=True):
    """A pair, and who said so, how and when."""

    source: PreferenceSource
    tenant: Tenant
    at: int


class _Dated(msgspec.Struct, frozen=True):
    """When a preference was kept; somebody's own pairs have no date."""

    at: int = 0


class Vote(msgspec.Struct, frozen=True):
    """Whether somebody told the real text from the written one."""

    is_right: bool
    at: int


def keep_preference(
    voice: str,
    tenant: Tenant,
    messages: tuple[Message, ...],
    chosen: str | None,
    rejected: str | None,
    source: PreferenceSource,
) -> None:
    """Append a preference to those of a voice."""
    kept = Preference(messages, chosen, rejected, source=source, tenant=tenant, at=int(time.time()))
    _append(preferences_file(voice), kept)


def count_new(voice: Voice, name: str) -> int:
    """Count the preferences that a voice has not learned; none of running prose, which has no replies."""
    path = preferences_file(name)
    if voice.kind == "continuation" or not path.exists():
        return 0
    return sum(kept.at >= voice.recipe.preferred_at for kept in read_records(path, _Dated))


def keep_vote(voice: str, is_right: bool) -> None:
    """Append a vote to those on a voice."""
    _append(voice_folder(voice) / VOTES, Vote(is_right, int(time.time())))


def votes_on(voice: str) -> list[bool]:
    """Return which votes on a voice were right."""
    try:
        return [vote.is_right for vote in read_records(voice_folder(voice) / VOTES, Vote)]
    except FileNotFoundError:
        return []


def _append(path: Path, record: msgspec.Struct) -> None:
    path.touch(mode=0o600)
    with alone(path), path.open("ab") as lines:
        lines.write(msgspec.json.encode(record) + b"\n")
        lines.flush()
        os.fsync(lines.fileno())
