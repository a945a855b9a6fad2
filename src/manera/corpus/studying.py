"""What can be told of an utterance by itself, once it is known who the people are: in any process, in any order."""

import re
from array import array
from pathlib import Path
from typing import NamedTuple

import msgspec

from manera.corpus.footers import Footers
from manera.corpus.repeats import pairs_of, signatures
from manera.records import Utterance, UtteranceKind, count_characters
from manera.text import names, personal_data
from manera.text.words import WORD

COMMAND = "bot command"
QUOTATION = "quotation"

# What was found, added up: the text has parts that are not its author's; has private data; is long, with a signature.
PARTED, PRIVATE, LONG = 1, 2, 4

BATCH = 2000
"""So many utterances are studied at once."""

_COMMAND = re.compile(r"\s*[/!][a-z][a-z0-9_]*(?:@\w+)?(?:[ \t]+\S+){0,2}\s*", re.IGNORECASE | re.ASCII)
# As messengers and mail quote: «> » before each line; «>» alone is somebody's own.
_QUOTED = re.compile(r"(?:> [^\n]*\n)+\s*(?=\S)")


class Manner(NamedTuple):
    """What an utterance is studied by. footers: None where footers, commands and repeats stay.

    people: names in the nominative of people who are meant where they are named, None where names stay.
    """

    footers: Footers | None
    people: frozenset[str] | None


class Batch(NamedTuple):
    """A stretch of a file of utterances, in bytes, and how many utterances are in it."""

    path: Path
    start: int
    size: int
    utterances: int

    def lines(self) -> bytes:
        """Return them as they lie in the file."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


class Findings(NamedTuple):
    """What was found of each of some utterances, as the bytes of arrays: words and characters without white space
    (4 bytes each), and what else (one byte); and the signatures of those that are long.
    """

    words: bytes
    characters: bytes
    found: bytes
    signatures: bytes


def study(manner: Manner, batch: Batch) -> Findings:
    """Find out about a batch what does not depend on other utterances."""
    return study_lines(manner, batch.lines())


def study_lines(manner: Manner, lines: bytes) -> Findings:
    """Find out the same about utterances in JSON, one a line."""
    words, characters, found, long = array("I"), array("I"), bytearray(), list[list[str]]()
    for utterance in msgspec.json.Decoder(Utterance).decode_lines(lines):
        said = WORD.findall(utterance.text)
        words.append(len(said))
        characters.append(count_characters(utterance.text))
        if utterance.kind not in ("message", "post"):
            found.append(0)
            continue
        flags, text = 0, utterance.text
        if manner.footers is not None:
            text, cut, _ = own(utterance, manner.footers)
            flags |= PARTED * bool(cut)
            if pairs := pairs_of(text, None if cut else said):
                flags |= LONG
                long.append(pairs)
        flags |= PRIVATE * is_private(text, utterance.kind, manner.people)
        found.append(flags)
    return Findings(words.tobytes(), characters.tobytes(), bytes(found), signatures(long))


def own(utterance: Utterance, footers: Footers) -> tuple[str, str, str]:
    """Return what of a text is its author's own, what is not, and why."""
    text = utterance.text
    if utterance.kind == "post":
        return footers.cut(utterance)
    if _COMMAND.fullmatch(text):
        return "", text, COMMAND
    quoted = _QUOTED.match(text)
    return (text[quoted.end() :], quoted[0], QUOTATION) if quoted else (text, "", "")


def is_private(text: str, kind: UtteranceKind, people: frozenset[str] | None) -> bool:
    """Tell whether a text may hold what something else is to stand for; people: None where names stay."""
    if personal_data.found(text):
        return True
    return kind == "message" and people is not None and bool(names.found(text, people))
