"""Write the token lists of a base, one a language, from wordfreq's word frequencies.

    pip install -e '.[vocabulary]' && python scripts/vocabulary.py gemma-3-270m ru en uk de fr es

A language keeps its most expected tokens until they cover 99.7 % of its running words, and at most
26,000. A word counts with a space before it or without, as written, capitalised or in capitals.
"""

import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import wordfreq
from tokenizers import Tokenizer

from manera.bases import metadata
from manera.bases.catalogue import find_base
from manera.bases.tokenizer import build_tokenizer, read_vocabulary
from manera.bases.vocabulary import FINGERPRINT, tokens_sha256

COVERAGE = 0.997
MAX_TOKENS = 26_000
PREFIXES = ((" ", 0.9), ("", 0.1))
CASES = ((str, 0.75), (str.capitalize, 0.23), (str.upper, 0.02))
LISTS = Path(__file__).parent.parent / "src/manera/bases/vocabularies"


def expected_tokens(tokenizer: Tokenizer, language: str) -> Counter[int]:
    """Count how often each token is expected in running text of a language."""
    expected: Counter[int] = Counter()
    frequencies = iter(wordfreq.get_frequency_dict(language, wordlist="best").items())
    while batch := list(islice(frequencies, 20_000)):
        for case, case_share in CASES:
            for prefix, prefix_share in PREFIXES:
                encodings = tokenizer.encode_batch([prefix + case(word) for word, _ in batch], add_special_tokens=False)
                for (_, frequency), encoding in zip(batch, encodings, strict=True):
                    for index in encoding.ids:
                        expected[index] += frequency * case_share * prefix_share
    return expected


def most_expected(expected: Counter[int]) -> Iterator[int]:
    """Yield tokens, most expected first, until coverage or count is reached."""
    left = COVERAGE * expected.total()
    for index, share in expected.most_common(MAX_TOKENS):
        yield index
        left -= share
        if left <= 0:
            return


def main(base: str, languages: list[str]) -> None:
    """Write one list a language."""
    with find_base(base).whole() as whole:
        vocabulary = read_vocabulary(metadata.open_gguf(whole))
    tokenizer = build_tokenizer(vocabulary)
    (LISTS / base).mkdir(parents=True, exist_ok=True)
    for language in languages:
        tokens = sorted(most_expected(expected_tokens(tokenizer, language)))
        title = f"# {base}: token ids of {language!r}, written by scripts/vocabulary.py"
        title += f"\n{FINGERPRINT}{tokens_sha256(vocabulary, tokens)}"
        body = textwrap.fill(" ".join(map(str, tokens)), 110)
        (LISTS / base / f"{language}.txt").write_text(f"{title}\n{body}\n", "ascii")
        print(f"{language}: {len(tokens)} tokens")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
