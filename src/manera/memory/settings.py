"""What can be set about the store of past talk."""

import os

from pydantic import BaseModel, ConfigDict, Field

from manera import config


class MemoryConfig(BaseModel):
    """Settings of ``[memory]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str | None = Field(
        None, min_length=1, description="a file of SQLite or the URL of a PostgreSQL; MANERA_STORE_URL names it, too"
    )
    turns: int = Field(30, ge=0, le=500, description="how many of the last turns go before a new one")
    recalled: int = Field(3, ge=0, le=20, description="how many older turns are recalled at most")
    exchanges: int = Field(
        0, ge=0, le=20, description="how many of the person's own exchanges are; they make replies no likelier"
    )


def resolve() -> MemoryConfig:
    """Return the settings of memory; raise SettingsError."""
    return config.resolve(MemoryConfig, "memory", {"store": os.environ.get("MANERA_STORE_URL") or None})
