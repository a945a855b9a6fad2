"""What the persona answered to whom, kept with a voice; and what those people are to the persona."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from manera.dataset.examples import burst
from manera.errors import ModelError
from manera.files import read_records, replacing, write_records
from manera.records import Conversation
from manera.voice.folder import EXCHANGES, RELATIONS, voice_folder


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody said and the persona's answer, each a burst as examples write it.

    partner: who spoke last before the answer. said_at: Unix seconds at which their conversation began.
    """

    asked: str
    reply: str
    partner_id: str
    partner: str
    thread: str
    said_at: int | None = None


class Relations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people are to the persona, which the voice's owner may say.

    partners: of each name, such as "friend"; None where nothing was said. notes: what the voice is told when it talks
    to somebody of a relation, or to a person of this name.
    """

    partners: dict[str, str | None] = {}
    notes: dict[str, str] = {}

    def names(self, relation: str) -> frozenset[str]:
        """Return, without case, who is of a relation; a name is a relation of its own."""
        wanted = relation.casefold()
        return frozenset(
            name.casefold() for name, is_one in self.partners.items() if wanted in (name.casefold(), _folded(is_one))
        )

    def note(self, relation: str) -> str | None:
        """Return the note of a relation, or of a person; where a person has none, that of their relation."""
        notes = {name.casefold(): note for name, note in self.notes.items()}
        partners = {name.casefold(): _folded(is_one) for name, is_one in self.partners.items()}
        wanted = relation.casefold()
        return notes.get(wanted, notes.get(partners.get(wanted) or ""))


def exchanges_of(conversations: Iterable[Conversation], speaker_id: str) -> Iterator[Exchange]:
    """Yield each turn of a speaker that answers others, with all that they said since the turn before."""
    for conversation in conversations:
        asked: list[str] = []
        for before, turn in zip((None, *conversation.turns), conversation.turns, strict=False):
            if turn.speaker_id != speaker_id:
                asked += turn.texts
                continue
            if before is not None and asked:
                yield Exchange(
                    burst(asked),
                    burst(turn.texts),
                    before.speaker_id,
                    before.speaker,
                    conversation.thread,
                    conversation.started_at,
                )
            asked = []


def write_exchanges(exchanges: Sequence[Exchange], relations: Relations, folder: Path) -> None:
    """Write exchanges into a voice's folder, and whoever takes part in them among its relations; nothing if none."""
    if not exchanges:
        return
    write_records(folder / EXCHANGES, exchanges)
    partners = dict.fromkeys(exchange.partner for exchange in exchanges) | relations.partners
    with replacing(folder / RELATIONS) as unfinished:
        written = msgspec.json.encode(msgspec.structs.replace(relations, partners=partners))
        unfinished.write_bytes(msgspec.json.format(written) + b"\n")


def read_exchanges(voice: str) -> list[Exchange]:
    """Read a voice's exchanges; none where it was trained without them. Raises ModelError where they are broken."""
    path = voice_folder(voice) / EXCHANGES
    try:
        return list(read_records(path, Exchange))
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "train the voice again, or remove the file") from error


def read_relations(voice: str) -> Relations:
    """Read what the people are that a voice talked to; raise ModelError where the file was edited and is broken."""
    path = voice_folder(voice) / RELATIONS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Relations)
    except FileNotFoundError:
        return Relations()
    except (OSError, msgspec.DecodeError) as error:
        hint = 'it looks like {"partners": {"Anna": "friend"}, "notes": {"friend": "You talk to a close friend."}}'
        raise ModelError(f"{path} cannot be read: {error}", hint) from error


def _folded(relation: str | None) -> str | None:
    return None if relation is None else relation.casefold()
