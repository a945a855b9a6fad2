"""A voice by its name, for those who may know of it."""

from starlette.requests import Request as HttpRequest

from manera.errors import ManeraError, ModelError
from manera.generation.reply import Writer
from manera.jobs import cards
from manera.jobs.cards import Card
from manera.retrieval.origins import Origin, TrainingIndex, persona_messages
from manera.serving.catalogue import UnknownModelError
from manera.serving.service import allowed_models, service_of
from manera.voice.dataset import training_examples
from manera.voice.folder import is_there, voice_names


def known_names(http: HttpRequest) -> list[str]:
    """Return the names of the voices that a request may know of."""
    allowed = allowed_models(http)
    return [name for name in voice_names() if allowed is None or name in allowed]


def require_voice(http: HttpRequest, name: str) -> None:
    """Raise UnknownModelError for a voice that is not there, or not for this key: the two are told alike."""
    allowed = allowed_models(http)
    try:
        known = (allowed is None or name in allowed) and is_there(name)
    except ModelError:
        known = False  # it cannot name a voice
    if not known:
        raise UnknownModelError(f"there is no voice {name!r}", f"voices: {', '.join(known_names(http)) or 'none'}")


def can_talk(http: HttpRequest, name: str) -> bool:
    """Tell whether a voice is served here, and can be used."""
    return writer_of(http, name) is not None


def writer_of(http: HttpRequest, name: str) -> Writer | None:
    """Return who writes as a voice; None where it is not served, or cannot be used."""
    entry = service_of(http).catalogue.entry(name)
    return entry.writer if entry and isinstance(entry.writer, Writer) else None


def readable_cards(http: HttpRequest) -> list[Card]:
    """Return the cards of all voices that can be read."""
    found = []
    for name in known_names(http):
        try:
            found.append(cards.card(name, can_talk(http, name)))
        except ManeraError:
            continue  # /v1/models says what is wrong with it
    return found


def nearest(name: str, writer: Writer | None, text: str, count: int) -> list[Origin]:
    """Find the training messages nearest to a text; none where they did not come with the voice."""
    if writer is not None and writer.origins is not None:
        return writer.origins().nearest(text, count)
    index = TrainingIndex(persona_messages(training_examples(name)))
    return index.nearest(text, count) if index.messages else []
