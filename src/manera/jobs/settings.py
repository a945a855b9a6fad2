"""What can be set about uploads and what is made of them."""

from pydantic import BaseModel, ConfigDict, Field


class JobsConfig(BaseModel):
    """Settings of ``[jobs]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_upload_bytes: int = Field(1 << 30, ge=1, description="bytes of one upload")
    max_unpacked_bytes: int = Field(4 << 30, ge=1, description="bytes of what an archive holds")
    max_unpacked_files: int = Field(50_000, ge=1, description="files that an archive may hold")
    max_import_seconds: int = Field(1800, ge=1, description="processor time of one import")
    upload_hours: float = Field(24, gt=0, description="how long an imported upload is kept")
