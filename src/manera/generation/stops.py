"""Stop strings, for engines that have to look for them."""

from collections.abc import Collection


class UntilStop:
    """Text up to the first stop string; what may be the beginning of one is held back."""

    def __init__(self, stops: Collection[str]) -> None:
        self._stops = stops
        self._held = ""
        self.is_over = False

    def take(self, text: str) -> str:
        """Add text; return what can be shown now."""
        self._held += text
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            shown, self._held, self.is_over = self._held[: min(found)], "", True
            return shown
        most = max(map(len, self._stops), default=1) - 1
        for length in range(min(most, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                shown, self._held = self._held[:-length], self._held[-length:]
                return shown
        shown, self._held = self._held, ""
        return shown

    def rest(self) -> str:
        """Return what was held back for a stop string that never came."""
        return self._held
