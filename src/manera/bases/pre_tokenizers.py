"""How byte-level tokenizers part a text before they merge, by llama.cpp's name for it (``tokenizer.ggml.pre``)."""

from tokenizers import Regex, Tokenizer
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split

from manera.errors import ModelError

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"


def _by_pattern(pattern: str) -> PreTokenizer:
    return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "gpt-2": ByteLevel(add_prefix_space=False),
    "smollm": Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]),
    "qwen2": _by_pattern(rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_REST}"),
    "llama-bpe": _by_pattern(rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_REST}"),
}
WHOLE_WORDS = ("llama-bpe",)
"""Those that take a word for a token wherever it is one, whether merges lead there or not."""

_PROBE = (
    "It's what WE'LL see: 1234567 of 3.14\n\n\n  x =  [1];\t\r\n Мы'd идём…  «Да!»  naïve 😂 数字12345 \u0301 end  "
)


def name_of(tokenizer: Tokenizer) -> str:
    """Return llama.cpp's name for how a tokenizer parts a text; raise ModelError where it has none."""
    if tokenizer.pre_tokenizer is not None:
        parted = tokenizer.pre_tokenizer.pre_tokenize_str(_PROBE)
        for name, known in PRE_TOKENIZERS.items():
            if known.pre_tokenize_str(_PROBE) == parted:
                return name
    raise ModelError(
        "tokenizer.json parts text in a way that is not known here",
        f"known, by llama.cpp's names: {', '.join(PRE_TOKENIZERS)}",
    )
