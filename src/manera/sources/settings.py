"""What can be set about reading files."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manera.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = ("speaker", "text", "time", "thread", "title")
"""What a column of a table may hold."""


@dataclass(frozen=True)
class SourcesConfig:
    """Settings of ``[sources]``.

    keep_code: keep blocks of code and lists of links of pages and blogs. salvage: keep what is whole of a file that
    breaks off. columns: which column of a table holds what, by ``COLUMNS``.
    """

    keep_code: bool = False
    salvage: bool = False
    columns: "Mapping[str, str]" = field(default_factory=dict)


def parse_columns(given: str) -> dict[str, str]:
    """Read ``speaker=author,text=body``; raise SettingsError for what is no such list."""
    columns = {}
    for part in given.split(","):
        what, mark, column = (piece.strip() for piece in part.partition("="))
        if not mark or what not in COLUMNS or not column:
            raise SettingsError(
                f"{part.strip()!r} does not say what a column holds",
                f"write it as speaker=author,text=body; known are: {', '.join(COLUMNS)}",
            )
        columns[what] = column
    return columns
