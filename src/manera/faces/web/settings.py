"""The settings of the page."""

from pydantic import BaseModel, ConfigDict, Field

from manera.errors import FaceError

HOST, PORT = "127.0.0.1", 7860
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class WebConfig(BaseModel):
    """``[web]`` of manera.toml. password: asked for on every route; max_upload: bytes of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = HOST
    port: int = Field(PORT, ge=0, le=65535)
    password: str | None = None
    share: bool = False
    max_upload: int = Field(1 << 30, ge=1)

    @property
    def is_local(self) -> bool:
        """Tell whether only this machine can reach the page."""
        return self.host in LOOPBACK and not self.share


def require_password(settings: WebConfig) -> None:
    """Raise FaceError where others could reach the page and no password keeps them out."""
    if not settings.is_local and not settings.password:
        where = "with --share anybody" if settings.share else f"on {settings.host} everybody who reaches this machine"
        raise FaceError(
            f"{where} could open the page, and it has no password", "--password, or MANERA_WEB_PASSWORD in .env"
        )
