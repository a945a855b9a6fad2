"""``manera voices``: what voices there are."""

from collections.abc import Iterator

from manera.cli import console
from manera.errors import ModelError
from manera.jobs import cards
from manera.voice.folder import voice_names

COLUMNS = ("voice", "of", "kind", "base", "bits per byte", "made", "recommended", "stale since")


def show_voices(show_all: bool, as_json: bool) -> None:
    """List the voices with what they are worth, and those that know what was forgotten."""
    found = list(_readable())
    if as_json:
        console.result({"voices": [_described(card) for card in found]})
        return
    if not found:
        console.say("there is no voice yet; make one: manera up PATH")
        return
    rows = [tuple("-" if fact is None else fact for fact in _described(card).values()) for card in found]
    limit = None if show_all else console.FIRST_ROWS
    console.show_table(
        ("voice", "of", "kind", "base", "bits per byte", "made", "recommended", "stale since"), rows, limit
    )


def _readable() -> Iterator[cards.Card]:
    for name in voice_names():
        try:
            yield cards.card(name, can_talk=False)
        except ModelError as error:
            console.say(error.message)


def _described(card: cards.Card) -> dict[str, object]:
    return {
        "voice": card.id,
        "persona": card.persona,
        "kind": card.kind,
        "base": card.base,
        "bits_per_byte": round(card.held_out.voice.bits_per_byte, 3),
        "created_at": card.created_at[:10],
        "recommended": {True: "yes", False: "no", None: None}[card.recommended],
        "stale_since": (card.stale.since[:10] or "unknown") if card.stale else None,
    }
