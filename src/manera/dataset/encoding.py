"""The only place where messages become token ids: training, chat, the API and evaluation all call it."""

import re
from collections.abc import Iterator, Sequence

import msgspec
from tokenizers import Tokenizer

from manera.dataset.template import ChatTemplate, Piece, render, require_prefix_preserving
from manera.errors import DatasetError
from manera.records import Example, Message

IGNORE_INDEX = -100
_SPACE_SIGN = "▁"
"""What the tokenizer writes for a space; where people wrote this sign itself, it goes as bytes."""


class Encoded(msgspec.Struct, frozen=True):
    """Token ids, and beside each the same id where it is to be learned or IGNORE_INDEX where it is not.

    weights: how much each label counts against the others, above 0; None where all count alike.
    """

    input_ids: list[int]
    labels: list[int]
    weights: list[float] | None = None

    @property
    def supervised_tokens(self) -> int:
        """Count the labels that are learned."""
        return len(self.labels) - self.labels.count(IGNORE_INDEX)

    def weighted(self, weight: float) -> "Encoded":
        """Let all of it count this much more."""
        if weight == 1:
            return self
        return Encoded(self.input_ids, self.labels, [one * weight for one in self.weights or [1.0] * len(self.labels)])


class Encoder:
    """A tokenizer and a chat template together: messages in, token ids out; for any number of threads."""

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate) -> None:
        """Raise DatasetError when the template's special tokens are not the tokenizer's, or it changes the past."""
        require_prefix_preserving(template)
        # once and for good: were it switched for each text, another thread's text could be read as markup
        tokenizer.encode_special_tokens = True
        self.tokenizer = tokenizer
        self.template = template
        self.bos = self._special(template.bos)
        self.end_of_turn = self._special(template.end_of_turn)
        special = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
        self._special_tokens = re.compile(f"({'|'.join(map(re.escape, special))})")
        # byte-level tokenizers write spaces by a letter that people's own never meet
        bytes_ = [tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in _SPACE_SIGN.encode()]
        self._space_sign = [index for index in bytes_ if index is not None]

    def _special(self, token: str) -> int:
        index = self.tokenizer.token_to_id(token)
        if index is None:
            raise DatasetError(f"the base's vocabulary has no token {token!r}", "use the base the voice was trained on")
        return int(index)

    def text(self, text: str) -> list[int]:
        """Encode what people wrote; what looks like a special token in it is only text.

        ``decode`` gives the same text back, but for halves of surrogate pairs, which become question marks.
        """
        ids: list[int] = []
        cleaned = text.encode("utf-8", "replace").decode()
        for index, part in enumerate(cleaned.split(_SPACE_SIGN) if self._space_sign else [cleaned]):
            ids += self._space_sign * (index > 0)
            ids += self.tokenizer.encode(part, add_special_tokens=False).ids
        return ids

    def _markup(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._special_tokens.split(text):
            ids += [self._special(part)] if self._special_tokens.fullmatch(part) else self.text(part)
        return ids

    def _piece(self, piece: Piece) -> list[int]:
        return self._markup(piece.text) if piece.message is None else self.text(piece.text)

    def _joined(self, pieces: Sequence[Piece], messages: Sequence[Message]) -> Iterator[Piece]:
        """Put what a template writes behind a user's words to them, up to its next special token.

        Some tokenizers make one token of a full stop and the line break behind it, and so do all programs that are
        given a template's text as a whole. An assistant's words are never joined: they begin and end where learning
        does.
        """
        held: Piece | None = None
        for piece in pieces:
            if held is not None:
                head = self._special_tokens.split(piece.text, maxsplit=1)[0] if piece.message is None else ""
                yield Piece(held.text + head, held.message)
                held, piece = None, Piece(piece.text[len(head) :], piece.message)
            if piece.message is not None and messages[piece.message].role != "assistant":
                held = piece
            elif piece.text:
                yield piece
        if held is not None:
            yield held

    def decode(self, ids: Sequence[int]) -> str:
        """Turn token ids back into text, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Encode a conversation up to where the assistant is to speak."""
        pieces = render(self.template, messages, add_generation_prompt=True)
        return [index for piece in self._joined(pieces, messages) for index in self._piece(piece)]

    def example(self, example: Example) -> Encoded:
        """Encode a conversation to learn from: labels on the persona's words and their end-of-turn tokens.

        Raises DatasetError when an assistant turn would lose its end-of-turn token.
        """
        input_ids: list[int] = []
        labels: list[int] = []
        learning = False
        for piece in self._joined(render(self.template, example.messages), example.messages):
            ids = self._piece(piece)
            if learning and (piece.message is not None or ids[:1] != [self.end_of_turn]):
                raise DatasetError("an assistant turn lost its end-of-turn token", "use the voice's own template")
            if piece.message is None:
                labels += [self.end_of_turn if learning else IGNORE_INDEX, *[IGNORE_INDEX] * (len(ids) - 1)]
                learning = False
            else:
                message = example.messages[piece.message]
                learning = message.is_learned
                labels += ids if learning else [IGNORE_INDEX] * len(ids)
            input_ids += ids
        if learning:
            raise DatasetError("an assistant turn lost its end-of-turn token", "use the voice's own template")
        return Encoded(input_ids, labels).weighted(example.weight)

    def windows(self, text: str, max_length: int, ended: bool = True) -> Iterator[Encoded]:
        """Cut running text into windows of at most max_length tokens, each opened by one BOS.

        Every token of the text is learned exactly once; the end-of-turn token follows the last one where the
        text really ended.
        """
        ids = self.text(text) + [self.end_of_turn] * ended
        for start in range(0, len(ids), max_length - 1):
            body = ids[start : start + max_length - 1]
            yield Encoded([self.bos, *body], [IGNORE_INDEX, *body])
