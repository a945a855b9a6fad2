"""What opens a door: keys of programs, links that let in whoever has them, passwords, logins, codes of doors."""

import re
from collections.abc import Iterator
from itertools import chain, islice

from manera.text.russian_names import has_word

Span = tuple[int, int]

_KEY = re.compile(
    r"""(?x) (?<![\w-]) (?:
      sk-(?:proj-|ant-)?[\w-]{20,} | gh[pousr]_\w{30,} | github_pat_\w{30,} | glpat-[\w-]{16,} | hf_\w{30,}
    | (?:sk|rk|pk)_(?:live|test)_\w{16,} | xox[abeprs]-[\w-]{10,} | AKIA[0-9A-Z]{16} | AIza[\w-]{30,}
    | \d{8,10}:AA[\w-]{30,} | vk1\.a\.[\w-]{20,} | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}
    | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----[\s\S]*?-----END[ A-Z]*PRIVATE[ ]KEY-----
    )"""
)
_NAMED_KEY = re.compile(
    r"""(?ix)
    \b (?: key | token | secret | ключ\w* | токен\w* | секрет\w* ) (?: \s+ \S{1,15} ){0,3}? [\s:="'—-]{1,4}
    (?P<it> [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} | (?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{24,} ) (?![\w-])"""
)
_LINK = re.compile(r"(?i)\b[a-z][a-z+.-]{1,12}://[^\s<>\"'»)]+(?<![.,!?;:])")
_OPENS = re.compile(
    r"""(?x) //[^/\s@]+:[^/\s@]+@
    | (?i: [?&;\#] (?: [\w.-]*(?:token|signature|secret|session|passw(?:or)?d|api-?_?key) | pwd | sig | sid | code | key
        | auth | access | rlkey | hash | invite ) = [^&\s]{4,} )
    | (?i: (?:t\.me/(?:\+|joinchat/) | discord\.gg/ | discord\.com/invite/ | chat\.whatsapp\.com/ ) [\w-]{6,} )
    | [/=] (?=(?:[a-zA-Z_-]*\d){3})(?=[\w-]*[a-z])(?=[\w-]*[A-Z]) [\w-]{20,} (?![\w%.-])"""
)
_NOBODYS = re.compile(r"\w+://example\.(?:com|org|net)/")
_PASSWORD_CUE = re.compile(
    r"(?i)\b(?:парол[а-я]*|пасс?(?:ворд)?|пин(?:[ -]?код)?"
    r"|password|passwd|passcode|passphrase|pass|pwd|pw|pin(?:[ -]?code)?)\b"
)
# How the words of the cue begin: looked for in lower case, for a search that heeds no case takes ten times as long.
_MAY_CUE = re.compile("[пp](?:ар|ас|ин|as|w|in)")
_PIN_CUE = re.compile(r"(?i)(?:пин|pin|passcode)")
_AFTER_CUE = re.compile(
    r"""(?ix) (?P<sign> \s* [:=] \s* )? (?: [\s—–-]+ (?:is|это)\b )? [\s—–"«-]* (?P<it>\S+) (?P<last>\s*$)? """
)
_NO_PASSWORD = re.compile(r"[/()\[\]<>]|.@")
_TOKEN = re.compile(r"\S+")
_END_MARKS = ".,;:!?\"'»«)(…"
_WORDS_AROUND = 6
_REACH = 80
_DIGITS_OF_PIN = range(4, 9)
_MIN_LENGTH = 6
_MAY_LOGIN = re.compile("логин|юзер|log-?in|user ?(?:name|id)")
_LOGIN = re.compile(
    r"""(?ix) \b (?: логин[а-я]{0,2} | юзернейм | login(?:\s(?:name|id))? | log-in | user\s?name | user\sid ) \b
    (?: \s?/\s? (?: парол[а-я]* | pass(?:word)? ) )? (?P<sign> \s* [:=—–-]+ )? (?: \s+ (?:is|это|такой)\b )? \s* [:"«]?
    (?P<it> [a-z] [a-z0-9_.+-]{2,31} ) (?<![.+-]) (?![\w@]) (?P<last> \s* (?: $ | [\n,;/|»"] ))?"""
)
_DOOR = "(?:домофон|подъезд|двер|калитк|ворот|шлагбаум|сейф|замк|замок|парадн|кладовк|ячейк)[а-я]*"
_DOOR_EN = "(?:gate|door|entry|entrance|garage|lockbox|lock|building|alarm|intercom|buzzer|safe|locker)"
_DOOR_CODE = re.compile(
    rf"""(?ix) (?: \b код[а-я]{{0,2}} \s+ (?: (?:от|на|для|в|у|к|при)\s+ )? (?: [а-я]+\s+ )? {_DOOR}
        | \b {_DOOR} \s* [,:—–-]? \s* код[а-я]{{0,2}}
        | \b {_DOOR_EN} \s+ (?:code|combo|combination)
        | \b (?:code|combination|combo) \s+ (?:to|for|of) \s+ (?: (?:the|my|our) \s+ )? (?: \w+ \s+ )? {_DOOR_EN} )
    (?: [\s,:=—–"-] | \b(?:is|это|такой|номер|now|теперь)\b ){{1,8}}
    (?P<it> [#*]? \d{{1,4}} \s? [кkвbсc*#]\s? \d{{2,6}} [#*]? | [#*]? \d{{3,8}} [#*]? ) (?![\w.,]*\d)"""
)
# A flat, a letter as on the panel, the code: «45К1234».
_PANEL_CODE = re.compile(
    rf"""(?ix) \b (?: {_DOOR} | набер[а-я]* | набир[а-я]* | код[а-я]{{0,2}} ) \b \D{{0,30}}?
    (?<!\w) (?P<it> \d{{1,4}} \s? [кk*#] \s? \d{{3,6}} [#*]? ) (?!\w)"""
)
_INTERCOM = re.compile(r"(?i)\bдомофон[а-я]*[\s:—–-]{1,4}(?P<it>\d{4,6}[#*]?)(?!\d|\s*(?:г|р|₽))")
_HANDLE = re.compile(r"(?<![\w@/.])@[a-zA-Z][\w.]{3,31}(?<![._])(?![\w@])", re.ASCII)
# Words after the sign of an at that call nobody in particular.
_CALLS_ALL = frozenset({"@everyone", "@here", "@channel", "@all", "@media", "@import", "@property", "@dataclass"})


def may_hold_password(text: str) -> bool:
    """Tell quickly whether a text may speak of a password: few do."""
    return _MAY_CUE.search(text.lower()) is not None and _PASSWORD_CUE.search(text) is not None


def may_hold_login(text: str) -> bool:
    """Tell quickly whether a text may speak of a login."""
    return _MAY_LOGIN.search(text.lower()) is not None


def keys(text: str) -> Iterator[Span]:
    """Find keys of programs, by their makers' prefixes or by the word before them."""
    yield from (found.span() for found in _KEY.finditer(text))
    yield from (found.span("it") for found in _NAMED_KEY.finditer(text))


def links(text: str) -> Iterator[Span]:
    """Find addresses that hold a token, a password or an invitation."""
    for found in _LINK.finditer(text):
        if _OPENS.search(found.group()) and not _NOBODYS.match(found.group()):
            yield found.span()


def passwords(text: str) -> Iterator[Span]:
    """Find what looks like a password where a word near it says that it is one."""
    for cue in _PASSWORD_CUE.finditer(text):
        following = _AFTER_CUE.match(text, cue.end())
        if following and _is_said(text, cue, following):
            yield _trimmed(text, *following.span("it"))
            continue
        before = [*_TOKEN.finditer(text, max(0, cue.start() - _REACH), cue.start())][-1:]
        near = chain(before, islice(_TOKEN.finditer(text, cue.end(), cue.end() + _REACH), _WORDS_AROUND))
        looking = (_trimmed(text, *token.span()) for token in near)
        yield from [(start, end) for start, end in looking if _looks_secret(text[start:end])][-1:]


def logins(text: str) -> Iterator[Span]:
    """Find what somebody is called by a service, where a word before it says so."""
    for found in _LOGIN.finditer(text):
        ends = bool(found["sign"]) and found["last"] is not None
        if ends or any(not character.isalpha() for character in found["it"]):
            yield found.span("it")


def door_codes(text: str) -> Iterator[Span]:
    """Find codes of doors, gates and safes, where a word before them says so."""
    for pattern in (_DOOR_CODE, _PANEL_CODE, _INTERCOM):
        yield from (found.span("it") for found in pattern.finditer(text))


def handles(text: str) -> Iterator[Span]:
    """Find names of accounts: ``@name``."""
    for found in _HANDLE.finditer(text):
        if found.group().casefold() not in _CALLS_ALL:
            yield found.span()


def _is_said(text: str, cue: re.Match[str], following: re.Match[str]) -> bool:
    """Tell whether what follows at once is the password: a number, a mixture, or the last word after a colon."""
    start, end = _trimmed(text, *following.span("it"))
    secret = text[start:end]
    is_last = following["last"] is not None
    if secret.isdigit():
        is_closed = is_last or following["it"][-1] in _END_MARKS
        is_said = bool(following["sign"]) or is_closed or _follows_closely(text, cue, start)
        return len(secret) in _DIGITS_OF_PIN and is_said
    if _looks_secret(secret):
        return True
    return bool(following["sign"]) and is_last and len(secret) > 3 and (secret.isascii() or not has_word(secret))


def _follows_closely(text: str, cue: re.Match[str], start: int) -> bool:
    between = text[cue.end() : start].strip()
    return bool(_PIN_CUE.match(cue.group())) or between in ("-", "—", "–")


def _looks_secret(word: str) -> bool:
    """Tell a mixture of letters with digits or signs from a word and from a number."""
    has_signs = any(sign in "!@#$%^&*_+=~" for sign in word[1:]) and any(map(str.isalpha, word))
    return len(word) >= _MIN_LENGTH and (_is_mixed(word) or has_signs) and _NO_PASSWORD.search(word) is None


def _trimmed(text: str, start: int, end: int) -> Span:
    """Leave out marks around a word; an exclamation mark after letters and digits is part of a password."""
    while start < end and text[start] in _END_MARKS:
        start += 1
    while end > start and text[end - 1] in _END_MARKS:
        if text[end - 1] == "!" and _is_mixed(text[start : end - 1]):
            break
        end -= 1
    return start, end


def _is_mixed(word: str) -> bool:
    return any(map(str.isalpha, word)) and any(map(str.isdigit, word))
