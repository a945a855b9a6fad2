"""What stands above a blog's post: YAML (Jekyll, Docusaurus, Hexo without its first mark) or TOML (Hugo)."""

import calendar
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import yaml

_YAML = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_HEXO = re.compile(r"\A((?:(?:[A-Za-z][\w-]*:|[ \t]|-[ \t])[^\n]*\n)++)---[ \t]*(?:\n|\Z)")
# Without a first mark, a line and a rule below it may be a heading: only names that posts have tell.
_HEXO_KEY = re.compile(r"^(?:title|date|layout|tags|categories):", re.MULTILINE)
_KEY = re.compile(r"^\w[\w-]*:", re.MULTILINE)
_LINE = re.compile(r"^(title|date|draft|published):(.*)$", re.MULTILINE)
_DAY = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})")
_TIME = re.compile(r"[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?[ ]?(?:Z|([+-])(\d{2}):?(\d{2}))?")


@dataclass(frozen=True)
class FrontMatter:
    """Scalar fields as they are written, and the length of the whole in characters."""

    fields: Mapping[str, str] = field(default_factory=dict)
    length: int = 0

    @property
    def is_draft(self) -> bool:
        return _says(self.fields.get("draft"), "true", "yes", "on") or _says(
            self.fields.get("published"), "false", "no", "off"
        )


def read_front_matter(text: str) -> FrontMatter | None:
    """Read what a text begins with; None where that is no front matter."""
    if match := _TOML.match(text):
        return FrontMatter(_toml_fields(match[1]), match.end())
    match = _YAML.match(text)
    if match and _KEY.search(match[1]):
        return FrontMatter(_yaml_fields(match[1]), match.end())
    match = _HEXO.match(text)
    if match and _HEXO_KEY.search(match[1]):
        return FrontMatter(_yaml_fields(match[1]), match.end())
    return None


def unix_seconds(dated: str) -> int | None:
    """Find a day, and a time after it, in a date or a file's path; taken for UTC where no zone is named."""
    day = _DAY.search(dated)
    if not day:
        return None
    time = _TIME.match(dated, day.end())
    hour, minute, second = map(int, time.groups("0")[:3]) if time else (0, 0, 0)
    try:
        year, month, day_of_month = map(int, day.groups())
        moment = datetime(year, month, day_of_month, hour, minute, second)
        if time and time[4]:
            offset = timedelta(hours=int(time[5]), minutes=int(time[6]))
            moment = moment - offset if time[4] == "+" else moment + offset
        return calendar.timegm(moment.timetuple())
    except (ValueError, OverflowError):
        return None


def _says(value: str | None, *words: str) -> bool:
    return value is not None and value.strip().casefold() in words


def _toml_fields(block: str) -> dict[str, str]:
    try:
        values = tomllib.loads(block)
    except (ValueError, RecursionError):
        return {}
    return {key: str(value) for key, value in values.items() if not isinstance(value, dict | list)}


def _yaml_fields(block: str) -> dict[str, str]:
    """Titles with a colon in them are no YAML, but common: then each line is read for itself."""
    try:
        values = yaml.load(block, yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        values = None
    if isinstance(values, dict):
        return {str(key): value for key, value in values.items() if isinstance(value, str)}
    return {key: _unquoted(value.strip()) for key, value in _LINE.findall(block)}


def _unquoted(scalar: str) -> str:
    if len(scalar) >= 2 and scalar[0] == scalar[-1] and scalar[0] in "'\"":
        return scalar[1:-1]
    return scalar
