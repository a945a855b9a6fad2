"""Which stretches of its training text a voice had read when it was kept."""

from manera.voice.dataset import read_unread
from manera.voice.manifest import Voice


def learned(voice: Voice, stretches: int) -> list[int]:
    """Return the places of those stretches of the training text that were read up to the point that was kept."""
    unread = read_unread(voice.name)
    return [place for place in range(stretches) if place not in unread]
