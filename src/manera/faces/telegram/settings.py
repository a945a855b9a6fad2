"""What can be set about the bot: ``[bot]`` in manera.toml, ``BOT_*`` in the environment or in ``.env``."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from manera import config
from manera.errors import SettingsError
from manera.rhythm.record import Pace

TELEGRAM = "https://api.telegram.org"
_TOKEN = re.compile(r"\d+:[\w-]+")
_SECRET = re.compile(r"[\w-]{1,256}", re.ASCII)


def _ids(given: Any) -> Any:
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


class BotConfig(BaseModel):
    """Settings of ``[bot]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr = Field(SecretStr(""), description="as @BotFather gave it")
    api_url: str = Field(TELEGRAM, description="address of the Bot API")
    allowed_users: Annotated[tuple[int, ...], BeforeValidator(_ids)] = Field(
        (), description="ids of users who are answered; empty: everybody"
    )
    daily_messages: int | None = Field(None, ge=1, description="answers to one user in a day")
    pace: Pace = Field("real", description="real: as slowly as they do; brisk: within seconds; none: at once")
    quiet: float = Field(3, ge=0, le=60, description="seconds of silence after which somebody has finished")
    webhook_url: str | None = Field(None, description="public address for Telegram to call; by default the bot asks")
    webhook_secret: SecretStr = Field(SecretStr(""), description="what Telegram shows when it calls")
    webhook_host: str = Field("127.0.0.1", description="where those calls arrive")
    webhook_port: int = Field(8081, ge=0, le=65535)

    @property
    def bot_id(self) -> int:
        """Return the number with which the token begins."""
        return int(self.token.get_secret_value().partition(":")[0])


def resolve(pace: str | None = None) -> BotConfig:
    """Return the bot's settings; raise SettingsError, which never holds the token."""
    names = {field: f"BOT_{field.upper()}" for field in BotConfig.model_fields}
    given = {field: os.environ[name] for field, name in names.items() if os.environ.get(name)}
    resolved = config.resolve(BotConfig, "bot", given | ({} if pace is None else {"pace": pace}))
    if not _TOKEN.fullmatch(resolved.token.get_secret_value()):
        raise SettingsError(
            "BOT_TOKEN is not a bot's token" if resolved.token.get_secret_value() else "BOT_TOKEN is not set",
            "get one from @BotFather in Telegram, and write BOT_TOKEN=... into .env",
        )
    if resolved.webhook_url and not _SECRET.fullmatch(resolved.webhook_secret.get_secret_value()):
        raise SettingsError(
            "BOT_WEBHOOK_URL needs a BOT_WEBHOOK_SECRET of 1 to 256 letters, digits, _ and -",
            "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return resolved


def load_environment(path: Path = Path(".env")) -> None:
    """Read a file of the environment; what is set already stays."""
    from dotenv import load_dotenv

    load_dotenv(path, override=False)
