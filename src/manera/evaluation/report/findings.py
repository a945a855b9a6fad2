"""What a page shows beside the figures: it quotes people, and is never logged."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from manera.evaluation.measures.copying import Nearest
from manera.evaluation.measures.gate import Verdict


class SideBySide(NamedTuple):
    """One held-out prompt, what base and voice write on it, and what the person really wrote."""

    prompt: str
    base: str
    voice: str
    real: str


class Findings(NamedTuple):
    """What one part found, or all of them together.

    others: whom the author was told from. repeated: texts of the voice beside the training text nearest to each.
    message_lengths: words of each message, by who wrote it.
    """

    verdict: Verdict | None = None
    others: Sequence[str] = ()
    side_by_side: Sequence[SideBySide] = ()
    repeated: Sequence[tuple[str, Nearest]] = ()
    message_lengths: Mapping[str, Sequence[int]] = {}

    def joined(self, other: "Findings") -> "Findings":
        """Add what another part found."""
        return self._replace(**{name: found for name, found in other._asdict().items() if found})
