"""The tokenizer in a folder of Hugging Face files, turned into the vocabulary of a GGUF file."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from manera.bases.pre_tokenizers import name_of
from manera.bases.sentencepiece import read_sentencepiece
from manera.bases.tokenizer import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Vocabulary, build_tokenizer
from manera.errors import ModelError

_NAMES = ("bos", "eos", "unk", "pad")
_UNUSED, _BYTE = re.compile(r"<unused\d+>"), re.compile(r"<0x[0-9A-F]{2}>")
_SENTENCEPIECE = "tokenizer.model"
_AGAIN = "fetch it again; it may be half-downloaded"
_OTHER = "use a base with another tokenizer: manera bases"
_PROBE = "It's 2024: naïve «Мир», 数字 😂"


class ForeignTokenizer(NamedTuple):
    """A vocabulary, what its tokenizer calls bos, eos, unk and pad, and the chat template that comes with it."""

    vocabulary: Vocabulary
    special: Mapping[str, str]
    chat_template: str | None


def read_tokenizer(folder: Path, rows: int) -> ForeignTokenizer:
    """Read it; raise ModelError where it is foreign, or has more tokens than the model's embedding has rows."""
    settings = _settings(folder)
    special = {name: token for name in _NAMES if (token := _content(settings.get(f"{name}_token"))) is not None}
    tokenizer = _read(folder)
    if tokenizer is not None:
        vocabulary = _vocabulary(tokenizer, special, rows, folder)
        _require_alike(tokenizer, vocabulary, folder)
    elif (folder / _SENTENCEPIECE).is_file():
        vocabulary = _sentencepiece(folder, settings, special, rows)
    else:
        raise ModelError(
            f"{folder} has no tokenizer", f"put there tokenizer.json, {_SENTENCEPIECE}, or vocab.json and merges.txt"
        )
    return ForeignTokenizer(vocabulary, special, _chat_template(folder, settings))


def _read(folder: Path) -> Tokenizer | None:
    """Read what describes itself, as ``tokenizer.json`` does, or GPT-2's two files."""
    for name, read in (("tokenizer.json", Tokenizer.from_file), ("vocab.json", lambda _: _byte_level(folder))):
        path = folder / name
        try:
            if path.is_file():
                return read(str(path))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ModelError(f"{path} cannot be read: {error}", _AGAIN) from error
    return None


def _byte_level(folder: Path) -> Tokenizer:
    """Build what GPT-2's two files describe."""
    vocabulary, merges = models.BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    added = _read_json(folder / "added_tokens.json")
    for content, _ in sorted(added.items(), key=lambda entry: int(entry[1])):
        tokenizer.add_tokens([AddedToken(content, normalized=False)])
    return tokenizer


def _vocabulary(tokenizer: Tokenizer, special: Mapping[str, str], rows: int, folder: Path) -> Vocabulary:
    document = json.loads(tokenizer.to_str())
    model = document["model"]
    if model["type"] != "BPE":
        raise ModelError(f"{folder} has a tokenizer of the kind {model['type']!r}, which llama.cpp has not", _OTHER)
    # an added token without a row is one that the model cannot be given, such as Gemma's for pictures
    added = {token["id"]: token for token in document["added_tokens"] if token["id"] < rows}
    pieces = {index: piece for piece, index in model["vocab"].items()} | {i: one["content"] for i, one in added.items()}
    _require_room(pieces, special, rows, folder)
    of_bytes = bool(model["byte_fallback"])
    kinds = [_kind(pieces.get(index), added.get(index), special, of_bytes) for index in range(rows)]
    listed = [pieces.get(index, f"[PAD{index}]") for index in range(rows)]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    if of_bytes:
        return Vocabulary(listed, _scores(listed, merges), kinds)
    return Vocabulary(listed, [0.0] * rows, kinds, merges, name_of(tokenizer))


def _sentencepiece(folder: Path, settings: Mapping[str, Any], special: Mapping[str, str], rows: int) -> Vocabulary:
    """Read SentencePiece's own file, and the tokens that transformers added to it."""
    own = read_sentencepiece(folder / _SENTENCEPIECE)
    added = {int(index): token for index, token in settings.get("added_tokens_decoder", {}).items()}
    for content, index in _read_json(folder / "added_tokens.json").items():
        added.setdefault(index, {"content": content, "special": False})
    pieces = dict(enumerate(own.pieces)) | {index: token["content"] for index, token in added.items()}
    _require_room(pieces, special, rows, folder)
    more = range(len(own.pieces), rows)
    kinds = [*own.kinds, *(_kind(pieces.get(index), added.get(index), special, True) for index in more)]
    scores = [*own.scores, *[min(own.scores) - 1] * len(more)]
    return Vocabulary([pieces.get(index, f"[PAD{index}]") for index in range(rows)], scores, kinds)


def _require_room(pieces: Mapping[int, str], special: Mapping[str, str], rows: int, folder: Path) -> None:
    """Raise ModelError unless the model has a row for every token, and for those that open and end a text."""
    homeless = sorted({special[name] for name in ("bos", "eos") if name in special}.difference(pieces.values()))
    if homeless or max(pieces) >= rows:
        what = f"the token {homeless[0]!r}" if homeless else f"{max(pieces) + 1:,} tokens"
        raise ModelError(
            f"the tokenizer in {folder} has {what}, and the model's embedding {rows:,} rows",
            "use the tokenizer that came with the model",
        )


def _kind(piece: str | None, added: Mapping[str, Any] | None, special: Mapping[str, str], of_bytes: bool) -> int:
    """Return llama.cpp's token type; of_bytes: whether the vocabulary is of SentencePiece's kind."""
    if piece is None or _UNUSED.fullmatch(piece):
        return UNUSED
    if of_bytes and _BYTE.fullmatch(piece):
        return BYTE
    if of_bytes and piece == special.get("unk"):
        return UNKNOWN
    if piece in special.values() or (added and added["special"]):
        return CONTROL
    return USER_DEFINED if added else NORMAL


def _scores(pieces: Sequence[str], merges: Sequence[str]) -> list[float]:
    """Write the ranks of merges as SentencePiece's scores: a piece's is that of the first merge that makes it."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", "", 1), rank)
    return [-float(ranks.get(piece, len(merges))) for piece in pieces]


def _require_alike(theirs: Tokenizer, vocabulary: Vocabulary, folder: Path) -> None:
    """Raise ModelError unless what is built from the vocabulary reads a text as the tokenizer itself does.

    The space that some put before every text is left out here, so that every text is written back as it was.
    """
    ours = build_tokenizer(vocabulary)
    expected = theirs.encode(_PROBE, add_special_tokens=False).ids
    if expected not in [ours.encode(text, add_special_tokens=False).ids for text in (_PROBE, f" {_PROBE}")]:
        raise ModelError(f"the tokenizer in {folder} reads text in a way that llama.cpp has not", _OTHER)


def _settings(folder: Path) -> dict[str, Any]:
    return _read_json(folder / "special_tokens_map.json") | _read_json(folder / "tokenizer_config.json")


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    found = settings.get("chat_template")
    if isinstance(found, list):  # several, by name
        found = {one["name"]: one["template"] for one in found}.get("default")
    return found


def _content(token: Any) -> str | None:
    return token.get("content") if isinstance(token, dict) else token


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise ModelError(f"{path} cannot be read: {error}", _AGAIN) from error
    return found
