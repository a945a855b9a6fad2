"""What can be set about reading files."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

COLUMNS = ("speaker", "text", "time", "thread", "title")
"""What a column of a table may hold."""

_FORM = "speaker=author,text=body"


class SourcesConfig(BaseModel):
    """Settings of ``[sources]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_code: bool = Field(False, description="keep blocks of code, and lists of links, of pages and blogs")
    salvage: bool = Field(False, description="keep what is whole of files that break off")
    columns: dict[str, str] = Field(
        default_factory=dict, description="what the columns of tables hold, for example speaker=author,text=body"
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        """Take columns as they are written in a flag or in the environment."""
        if isinstance(value, str):
            return dict(map(_column, value.split(",")))
        return value

    @field_validator("columns")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := [what for what in value if what not in COLUMNS]:
            known = ", ".join(COLUMNS)
            raise ValueError(f"{unknown[0]!r} is none of {known}; what a column holds comes first: {_FORM}")
        return value


def _column(given: str) -> tuple[str, str]:
    what, mark, column = (part.strip() for part in given.partition("="))
    if not (what and mark and column) or "=" in column:
        raise ValueError(f"{given.strip()!r} is not what a column holds and its name: write it as {_FORM}")
    return what, column
