"""The lists of words in ``lists``: tables, and words with a space between them by what they are for."""

import csv
import tomllib
from functools import cache
from importlib import resources
from io import StringIO
from typing import Any


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table by the names of its columns."""
    return list(csv.DictReader(StringIO(_text(name)), delimiter="\t"))


@cache
def lists(name: str) -> dict[str, Any]:
    """Return what a TOML file holds."""
    return tomllib.loads(_text(name))


def words(name: str, key: str) -> frozenset[str]:
    """Return one list of a TOML file."""
    return frozenset(lists(name)[key].split())


def _text(name: str) -> str:
    return resources.files(__package__).joinpath("lists", name).read_text("utf-8")
