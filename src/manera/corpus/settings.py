"""What can be set about an import."""

import re
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})")


class CorpusConfig(BaseModel):
    """Settings of ``[corpus]``; None and an empty list leave nothing out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: date | None = Field(None, description="leave out what was written before this day, in UTC")
    until: date | None = Field(None, description="leave out what was written after this day, in UTC")
    only: tuple[str, ...] = Field((), description="chats to keep, by name or id; * stands for anything")
    exclude: tuple[str, ...] = Field((), description="chats to leave out, by name or id; * stands for anything")
    keep_names: bool = Field(False, description="leave names of people in messages as they are")
    manner_only: bool = Field(
        True, description="take out footers, long texts that were written before, and other languages"
    )

    workers: int | None = Field(
        None,
        ge=1,
        description="processes that share in cleaning; by default as many as there are cores, up to four, from 100,000 "
        "messages on",
    )
    ray: str | None = Field(
        None,
        description="address of a Ray cluster that cleans instead: `HOST:PORT`, or `auto` for the one that this "
        "machine belongs to",
    )

    @field_validator("since", "until", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        """Take days only: of a number it could only be guessed what is meant."""
        if not isinstance(value, str):
            return value
        day = _DOTTED.fullmatch(value)
        try:
            return date.fromisoformat("-".join(reversed(day.groups())) if day else value)
        except ValueError:
            raise ValueError("a day is written as 2024-02-29, or as 29.02.2024") from None

    @field_validator("only", "exclude", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Take one name as it is given in the environment."""
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _in_order(self) -> "CorpusConfig":
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since {self.since} is after until {self.until}, so nothing is left")
        return self
