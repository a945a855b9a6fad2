"""Tokenizers from nothing. Each writes every text back as it was, so that bits per byte compare between them; but
``▁``, which stands for the space in some of them, is read as one.

None has a token for what it does not know, which would be told for nothing: a character that a vocabulary lacks is
spelled in bytes, a word that it lacks in characters, and each of these is a token that costs its bits.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from manera.errors import TrainingError
from manera.lab.settings import TokenizerKind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BOS, EOS = "<s>", "</s>"
TOKENIZER = "tokenizer.json"
SPACE = "▁"
MIN_SEEN = 2
"""A character or word that the training text has less often is no token: so spelling is learned as well."""

SIZED: tuple[TokenizerKind, ...] = ("word", "bpe", "unigram")
"""Those that have as many tokens as are asked for."""

PART = 2000
"""Characters of a line that are learned from at once."""

_WORD = rf"{SPACE}?[\p{{L}}\p{{M}}]+(?:[-'’][\p{{L}}\p{{M}}]+)*"
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIALS = [BOS, EOS]
_SPARE = frozenset([*SPECIALS, *_BYTES, *pre_tokenizers.ByteLevel.alphabet()])


def learn(kind: TokenizerKind, texts: Sequence[str], vocabulary: int, or_fewer: bool = False) -> Tokenizer:
    """Make a tokenizer of a training text; raise TrainingError where the text allows no such vocabulary.

    vocabulary: tokens that a word, BPE or Unigram tokenizer is to have, special ones among them; or_fewer: where the
    text allows fewer, so many are taken.
    """
    tokenizer = _LEARNED[kind](texts, vocabulary)
    if kind in SIZED and not or_fewer and tokenizer.get_vocab_size() < vocabulary:
        raise TrainingError(
            f"the text has {tokenizer.get_vocab_size():,} different tokens for a {kind} tokenizer, "
            f"and {vocabulary:,} were asked for",
            f"give more text, or ask for at most --vocab {tokenizer.get_vocab_size()}; "
            "where nothing parts the words: --tokenizer character",
        )
    return tokenizer


def stream(tokenizer: Tokenizer, texts: Iterable[str]) -> list[int]:
    """Return the token ids of texts, one after another: each opened by BOS and closed by EOS."""
    bos, eos = map(tokenizer.get_vocab().__getitem__, SPECIALS)
    encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [token for one in encoded for token in (bos, *one.ids, eos)]


def is_spare(piece: str) -> bool:
    """Tell whether a piece is special or stands for one byte: it is there whether the text has it or not."""
    return piece in _SPARE


def for_transformers(tokenizer: Tokenizer) -> "PreTrainedTokenizerFast":
    """Return it as transformers has tokenizers."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and what transformers reads beside it."""
    for_transformers(tokenizer).save_pretrained(folder)


def _characters(texts: Sequence[str], _: int) -> Tokenizer:
    return _spelling(_alphabet(texts), [])


def _bytes(_: Sequence[str], __: int) -> Tokenizer:
    return _spelling([SPACE], [])


def _words(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """Take the most frequent words, with the space before them; others are spelled."""
    parted = _parted(Tokenizer(models.BPE()))
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(word for word, _ in parted.pre_tokenizer.pre_tokenize_str(parted.normalizer.normalize_str(text)))
    alphabet = _alphabet(texts)
    room = vocabulary - len(SPECIALS) - len(_BYTES) - len(alphabet)
    if room < 1:
        raise TrainingError(
            f"{vocabulary:,} tokens leave no room for words beside "
            f"{len(_BYTES)} bytes and {len(alphabet):,} characters",
            f"ask for --vocab {vocabulary - room + 1000} or more",
        )
    seen = (word for word, count in counted.most_common() if count >= MIN_SEEN and len(word) > 1)
    return _parted(_spelling(alphabet, [word for word, _ in zip(seen, range(room), strict=False)]))


def _parted(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{_WORD}|[\s\S]"), "isolated")
    return tokenizer


def _alphabet(texts: Sequence[str]) -> list[str]:
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(text)
    counted[SPACE] += counted.pop(" ", 0) + MIN_SEEN
    return [character for character, count in counted.most_common() if count >= MIN_SEEN]


def _spelling(alphabet: Sequence[str], words: Sequence[str]) -> Tokenizer:
    """Make a tokenizer of whole words, else of characters, else of bytes: BPE that merges nothing."""
    pieces = [*SPECIALS, *_BYTES, *alphabet, *words]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(pieces)},
            merges=[],
            byte_fallback=True,
            ignore_merges=bool(words),
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return tokenizer


def _bpe(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    tokenizer = _of_byte_letters(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=MIN_SEEN,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_in_parts(texts), trainer)
    return tokenizer


def _unigram(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    tokenizer = _of_byte_letters(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_in_parts(texts), trainer)
    return tokenizer


def _in_parts(texts: Sequence[str]) -> Iterator[str]:
    """Cut lines that are very long: learning takes ever longer where nothing parts the words."""
    for text in texts:
        for line in text.splitlines(keepends=True):
            yield from (line[start : start + PART] for start in range(0, len(line), PART))


def _of_byte_letters(model: models.Model) -> Tokenizer:
    """Write bytes as letters, as GPT-2 does; nothing goes across words."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


_LEARNED: dict[TokenizerKind, Callable[[Sequence[str], int], Tokenizer]] = {
    "character": _characters,
    "word": _words,
    "byte": _bytes,
    "bpe": _bpe,
    "unigram": _unigram,
}
