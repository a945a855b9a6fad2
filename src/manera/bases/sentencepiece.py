"""SentencePiece's ``tokenizer.model``, read without its library.

Format: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from manera.bases.tokenizer import NORMAL, Vocabulary
from manera.errors import ModelError

_PIECES, _TRAINER = 1, 2
_PIECE, _SCORE, _KIND = 1, 2, 3
_MODEL_TYPE, _UNIGRAM, _BPE = 3, 1, 2

_Value = int | bytes


def read_sentencepiece(path: Path) -> Vocabulary:
    """Read its pieces, whose kinds llama.cpp numbers alike; raise ModelError where they are not merged by BPE."""
    pieces, scores, kinds = [], [], []
    model_type: _Value = _UNIGRAM
    try:
        for number, content in _fields(path.read_bytes()):
            if number == _PIECES and isinstance(content, bytes):
                told = dict(_fields(content))
                pieces.append(bytes(told[_PIECE]).decode())
                scores.append(float(struct.unpack("<f", bytes(told.get(_SCORE, bytes(4))))[0]))
                kinds.append(int(told.get(_KIND, NORMAL)))
            elif number == _TRAINER and isinstance(content, bytes):
                model_type = int(dict(_fields(content)).get(_MODEL_TYPE, _UNIGRAM))
    except (ValueError, IndexError, KeyError, struct.error) as error:
        raise ModelError(f"{path} is no model of SentencePiece: {error}", "fetch the base again") from error
    if model_type != _BPE:
        raise ModelError(f"{path} parts text otherwise than by BPE", "use a base with another tokenizer: manera bases")
    return Vocabulary(pieces, scores, kinds)


def _fields(message: bytes) -> Iterator[tuple[int, _Value]]:
    """Yield the number and the content of each field of a protobuf message: an integer, or bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire = key & 7
        if wire == 0:
            content: _Value
            content, place = _varint(message, place)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, place = _varint(message, place)
            content, place = message[place : place + size], place + size
            if place > len(message):
                raise ValueError("it ends too early")
        yield key >> 3, content


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Read an integer of seven bits a byte; return it and the place after it."""
    found = shift = 0
    while True:
        found |= (message[place] & 0x7F) << shift
        place += 1
        if not message[place - 1] & 0x80:
            return found, place
        shift += 7
