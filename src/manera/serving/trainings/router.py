"""The routes of trainings."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from manera.bases.base_model import BaseModel
from manera.jobs import bases, plans, trainings
from manera.jobs.plans import Plan, Planned, PlanOrder
from manera.jobs.trainings import Training
from manera.jobs.uploads import open_upload
from manera.serving.answering import done, raise_failure
from manera.serving.faults import REFUSALS
from manera.serving.library.logic import require_voice
from manera.serving.schema import answers, json_answer
from manera.serving.service import service_of
from manera.serving.tenants import UserName, require_manager, tenant_of
from manera.serving.trainings.protocol import (
    BaseList,
    FurtherRequest,
    PlanRequest,
    ReportRequest,
    TrainingList,
    TrainingRequest,
)
from manera.serving.voices import FollowedVoices

router = APIRouter(tags=["trainings"], responses=REFUSALS)


@router.post("/v1/plans", response_class=Response, responses=answers(Plan))
async def create_plan(asked: PlanRequest, http: Request) -> Response:
    """Say what would be learned from an upload, what would be left out, and what it would take; nothing is kept."""
    require_manager(http)
    tenant = tenant_of(http, asked.user)

    def order() -> PlanOrder:
        base = bases.chosen_base(asked.base, served_base(http))
        return plans.order_of(tenant, open_upload(asked.upload, tenant), asked.speaker, base, asked.minutes)

    async with done(http, plans.PLANS, await asyncio.to_thread(order), Planned) as (_, planned):
        raise_failure(planned.error)
        return json_answer(planned.plan or Planned())


@router.post("/v1/trainings", status_code=202, response_class=Response, responses=answers(Training, status=202))
async def create_training(asked: TrainingRequest, http: Request) -> Response:
    """Train a voice from an upload, in a process of its own, when those asked for earlier are done."""
    require_manager(http)
    tenant = tenant_of(http, asked.user)

    def begin() -> Training:
        return trainings.begin_training(
            tenant,
            open_upload(asked.upload, tenant),
            speaker=asked.speaker,
            voice=asked.voice,
            base=bases.chosen_base(asked.base, served_base(http)),
            minutes=asked.minutes,
            replace=asked.replace,
            report=asked.report,
        )

    return json_answer(await asyncio.to_thread(begin), 202)


@router.get("/v1/trainings", response_class=Response, responses=answers(TrainingList))
async def list_trainings(http: Request, user: UserName = "") -> Response:
    """List somebody's trainings and reports, the newest first."""
    require_manager(http)
    return json_answer(TrainingList(await asyncio.to_thread(trainings.list_trainings, tenant_of(http, user))))


@router.get("/v1/trainings/{id}", response_class=Response, responses=answers(Training))
async def read_training(id: str, http: Request, user: UserName = "") -> Response:
    """Tell how far a training is."""
    require_manager(http)
    return json_answer(await asyncio.to_thread(trainings.read_training, id, tenant_of(http, user)))


@router.post("/v1/trainings/{id}/stop", response_class=Response, responses=answers(Training))
async def stop_training(id: str, http: Request, user: UserName = "") -> Response:
    """End a training now and keep its best point; one that waits is cancelled, one that goes on changes nothing."""
    require_manager(http)
    return json_answer(await asyncio.to_thread(trainings.stop_training, id, tenant_of(http, user)))


@router.post(
    "/v1/voices/{id}/trainings", status_code=202, response_class=Response, responses=answers(Training, status=202)
)
async def train_further(id: str, asked: FurtherRequest, http: Request) -> Response:
    """Go on from a voice in a process of its own: on what is new in an upload, else on its thumbs and corrections.

    The voice changes only where that makes it no worse.
    """
    require_manager(http)
    require_voice(http, id)
    tenant = tenant_of(http, asked.user)

    def begin() -> Training:
        if asked.upload is None:
            return trainings.begin_preferences(tenant, id, asked.minutes)
        return trainings.begin_growth(tenant, id, open_upload(asked.upload, tenant), asked.minutes)

    return json_answer(await asyncio.to_thread(begin), 202)


@router.post(
    "/v1/voices/{id}/report", status_code=202, response_class=Response, responses=answers(Training, status=202)
)
async def create_report(id: str, asked: ReportRequest, http: Request) -> Response:
    """Measure a voice, in a process of its own, when what was asked for earlier is done."""
    require_manager(http)
    require_voice(http, id)
    tenant = tenant_of(http, asked.user)
    return json_answer(await asyncio.to_thread(trainings.begin_report, tenant, id, asked.fast), 202)


@router.get("/v1/bases", response_class=Response, responses=answers(BaseList))
async def list_bases(http: Request) -> Response:
    """List the bases that a voice can be trained on."""
    return json_answer(BaseList(await asyncio.to_thread(bases.list_bases)))


def served_base(http: Request) -> BaseModel | None:
    """Return the base that is served, where it is known in full."""
    catalogue = service_of(http).catalogue
    return catalogue.described if isinstance(catalogue, FollowedVoices) else None
