"""What goes over the routes of trainings."""

from typing import Annotated

import msgspec
from pydantic import Field

from manera.jobs.bases import Base
from manera.jobs.trainings import Training
from manera.serving.protocol import ModelId, StrictModel

User = Annotated[str, Field(max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
JobId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Minutes = Annotated[float, Field(gt=0, le=10_000)]


class UserRequest(StrictModel):
    """Asked for somebody: here ``user`` means something."""

    user: User = ""


class PlanRequest(UserRequest):
    """From which upload whose words are to be learned; speaker: by default the owner of the export."""

    upload: JobId
    speaker: Name | None = None
    base: ModelId | None = None
    minutes: Minutes | None = None


class TrainingRequest(PlanRequest):
    """voice: its name, by default the speaker's. replace: whether a voice of this name may be replaced."""

    voice: Name | None = None
    replace: bool = False
    report: Annotated[bool, Field(description="Whether the fast report is made in the end.")] = False


class FurtherRequest(UserRequest):
    """upload: a newer export of the same person's words; without one, the voice's preferences are learned."""

    upload: JobId | None = None
    minutes: Minutes | None = None


class ReportRequest(UserRequest):
    fast: bool = True


class TrainingList(msgspec.Struct, frozen=True):
    data: list[Training]


class BaseList(msgspec.Struct, frozen=True):
    data: list[Base]
