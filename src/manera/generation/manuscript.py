"""A reply as it is written: what was delivered stays, the tokens after it can still be taken back."""

from collections.abc import Iterator

import msgspec

from manera.generation.engine import Token


class Manuscript:
    """The text so far, of which the last tokens are held back; delivered: how many characters are not."""

    def __init__(self) -> None:
        self.text = ""
        self.delivered = 0
        self._held: list[Token] = []

    def add(self, token: Token) -> None:
        """Write a token, and hold it back."""
        self.text += token.text
        self._held.append(token)

    def release(self, end: int) -> Iterator[Token]:
        """Yield the held tokens that lie wholly before this place; each counts as delivered."""
        while self._held and self.delivered + len(self._held[0].text) <= end:
            token = self._held.pop(0)
            self.delivered += len(token.text)
            yield token

    def token_start(self, place: int) -> int:
        """Return where the held token begins that this place is in; what was delivered is never gone back into."""
        start = self.delivered
        for token in self._held:
            if start + len(token.text) > place:
                break
            start += len(token.text)
        return start

    def cut(self, place: int) -> None:
        """Take back everything from this place on, of which nothing was delivered."""
        self.text = self.text[:place]
        kept, start = [], self.delivered
        for token in self._held:
            if start < place:
                kept.append(msgspec.structs.replace(token, text=token.text[: place - start]))
            start += len(token.text)
        self._held = kept
