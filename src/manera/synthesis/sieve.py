"""What of a model's texts is not kept, and why: each drop has a name in the corpus's ledger."""

import re
from collections.abc import Iterable

from manera.corpus.other_languages import language as language_found
from manera.corpus.repeats import Repeats, may_repeat
from manera.generation.server import Answer
from manera.text.languages import Language
from manera.text.words import count_words, runs, words

EMPTY = "nothing was written"
REFUSED = "refusal"
CUT = "cut off at its longest"
FILTERED = "withheld by the server's filter"
SHORT = "too short"
OTHER = "another language"
COPIED = "copies real text"
REPEATED = "nearly written before"
INTRODUCED = "what introduces a text"

COPIED_WORDS = 12
"""In a row, of somebody real: what the guard lets no voice say."""

_REFUSAL_WITHIN = 240
_CANNOT = (
    r"(?:не могу|не смогу|не буду|не в состоянии|cannot|can[’']?t|can not|won[’']?t|am unable|[’']m unable|am not able)"
)
_DO = (
    r"(?:помо|выполн|написа|созда|предостав|продолж|сдела|help|assist|write|creat|provid|fulfil|compl|do that|continue)"
)
_REFUSAL = re.compile(
    rf"(?:(?:извините|простите|к сожалению|sorry|i apologi[sz]e|unfortunately)\b.{{0,60}}{_CANNOT}"
    rf"|\b(?:я|i)\b.{{0,20}}{_CANNOT}.{{0,30}}{_DO}"
    r"|как (?:языковая модель|искусственный интеллект|ии\b)|\bas an? (?:ai\b|artificial|(?:large )?language model))",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"\A(?:конечно|вот|разумеется|хорошо|sure|certainly|of course|here(?:[’']s| is)|okay)\b[^\n]{0,120}:[ \t]*\n+",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\A```\w*\n(.*?)\n```\Z", re.DOTALL)


def bare(text: str) -> str:
    """Take away what models put around a text: an introduction, a fence, quotes about the whole."""
    found = _INTRODUCTION.sub("", text.strip()).strip()
    fenced = _FENCE.match(found)
    if fenced:
        found = fenced[1].strip()
    for opening, closing in ("«»", '""', "“”"):
        inner = found[1:-1]
        if len(found) > 1 and found[0] == opening and found[-1] == closing and not {opening, closing} & set(inner):
            found = inner.strip()
    return found


class Sieve:
    """Lets texts through, or names why not; what it has let through counts as written."""

    def __init__(self, language: Language, min_words: int, real: Iterable[str]) -> None:
        self._language = language
        self._min_words = min_words
        self._real = {hash(run) for text in real for run in runs(words(text), COPIED_WORDS)}
        self._repeats = Repeats()
        self._exact: set[int] = set()

    def refusal(self, answer: Answer, text: str) -> str | None:
        """Return why a text is not kept; None where it is. text: what is bare of the answer."""
        reason = _as_answered(answer, text) or self._as_written(text)
        if reason is None:
            self._exact.add(hash(_normal(text)))
        return reason

    def _as_written(self, text: str) -> str | None:
        if count_words(text) < self._min_words:
            return SHORT
        if (found := language_found(text)) and found != self._language:
            return f"{OTHER} ({found})"
        if any(hash(run) in self._real for run in runs(words(text), COPIED_WORDS)):
            return COPIED
        if hash(_normal(text)) in self._exact:
            return REPEATED
        one = may_repeat(text)
        return REPEATED if one and self._repeats.holds("", text, one) else None


def _as_answered(answer: Answer, text: str) -> str | None:
    if answer.finish_reason == "refusal" or _REFUSAL.search(text[:_REFUSAL_WITHIN]):
        return REFUSED
    if answer.finish_reason == "content_filter":
        return FILTERED
    if answer.finish_reason == "length":
        return CUT
    return None if text else EMPTY


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
