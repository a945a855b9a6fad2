"""What can be set about uploads and what is made of them."""

from pydantic import BaseModel, ConfigDict, Field


class JobsConfig(BaseModel):
    """Settings of ``[jobs]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_upload_bytes: int = Field(1 << 30, ge=1, description="bytes of one upload")
    max_import_seconds: int = Field(1800, ge=1, description="processor time of one import")
    upload_hours: float = Field(24, gt=0, description="how long an imported upload is kept")
