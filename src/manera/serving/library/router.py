"""The routes of voices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import iterate_in_threadpool
from fastapi.responses import Response, StreamingResponse

from manera.evaluation.report.document import REPORT_HTML, REPORT_JSON, page_in
from manera.jobs import cards, exports
from manera.jobs.cards import CardWithHeadline
from manera.jobs.exports import Outcome, Target
from manera.rhythm.pace import speaks
from manera.rhythm.record import Said
from manera.serving.answering import done, raise_failure
from manera.serving.faults import REFUSALS
from manera.serving.library import logic
from manera.serving.library.protocol import CardList, OriginList, Silence, SilenceRequest, WhyRequest
from manera.serving.schema import answers, json_answer
from manera.serving.tenants import require_manager, tenant_of
from manera.voice import rhythm
from manera.voice.folder import RHYTHM, remove_voice, voice_folder

router = APIRouter(tags=["voices"], responses=REFUSALS)

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Of the report's page: it has neither scripts nor pictures, and asks nobody."""

Language = Annotated[Literal["en", "ru"], Query(description="Of units and pages.")]
_JSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.get("/v1/voices", response_class=Response, responses=answers(CardList))
async def list_voices(http: Request) -> Response:
    """List the voices that are here, served or not, with what is known of them."""
    return json_answer(CardList(await asyncio.to_thread(logic.readable_cards, http)))


@router.get("/v1/voices/{id}", response_class=Response, responses=answers(CardWithHeadline))
async def read_voice(id: str, http: Request, language: Language = "en") -> Response:
    """Describe a voice, with its report's first figures and prompts to try it with."""
    logic.require_voice(http, id)
    talks = logic.can_talk(http, id)
    return json_answer(await asyncio.to_thread(cards.card_with_headline, id, talks, language))


@router.delete("/v1/voices/{id}", status_code=204)
async def delete_voice(id: str, http: Request) -> None:
    """Delete a voice, with its dataset and everything that is known of it."""
    require_manager(http)
    logic.require_voice(http, id)
    await asyncio.to_thread(remove_voice, id)


@router.get("/v1/voices/{id}/report", response_class=Response, responses=_JSON)
async def read_report(id: str, http: Request) -> Response:
    """Return a voice's report, as ``manera evaluate`` writes it."""
    logic.require_voice(http, id)
    return _file(voice_folder(id) / REPORT_JSON, "application/json", "report")


@router.get("/v1/voices/{id}/report.html", response_class=Response, responses=_HTML)
async def read_report_page(id: str, http: Request, language: Language | None = None) -> Response:
    """Return a voice's report as a page; by default in the author's language."""
    logic.require_voice(http, id)
    folder = voice_folder(id)
    asked = folder / page_in(language) if language else folder / REPORT_HTML
    page = asked if asked.is_file() else folder / REPORT_HTML
    answer = _file(page, "text/html", "report")
    answer.headers["content-security-policy"] = PAGE_POLICY
    return answer


@router.get("/v1/voices/{id}/rhythm", response_class=Response, responses=_JSON)
async def read_rhythm(id: str, http: Request) -> Response:
    """Return how somebody chats: bubbles, waiting, hours."""
    logic.require_voice(http, id)
    return _file(voice_folder(id) / RHYTHM, "application/json", "rhythm")


@router.post("/v1/voices/{id}/why", response_class=Response, responses=answers(OriginList))
async def explain(id: str, asked: WhyRequest, http: Request) -> Response:
    """Find the training messages that a text is nearest to."""
    logic.require_voice(http, id)
    found = await asyncio.to_thread(logic.nearest, id, logic.writer_of(http, id), asked.text, asked.count)
    return json_answer(OriginList(found))


@router.post("/v1/voices/{id}/silence", response_class=Response, responses=answers(Silence))
async def ask_silence(id: str, asked: SilenceRequest, http: Request) -> Response:
    """Say how likely the person would be to speak in a group now."""
    logic.require_voice(http, id)
    said = [Said(**message.model_dump()) for message in asked.messages]
    speak = await asyncio.to_thread(lambda: speaks(rhythm.read_rhythm(id), said))
    if speak is None:
        raise HTTPException(404, "this voice has not learned when to speak in a group")
    return json_answer(Silence(speak))


@router.get("/v1/voices/{id}/export", response_class=Response, responses=_ZIP)
async def export_voice(id: str, http: Request, to: Target) -> Response:
    """Export a voice for other programs, checked against the voice, as one zip archive."""
    require_manager(http)
    logic.require_voice(http, id)
    leaving = AsyncExitStack()
    order = exports.order_of(tenant_of(http), id, to)
    async with AsyncExitStack() as stack:
        folder, outcome = await stack.enter_async_context(done(http, exports.EXPORTS, order, Outcome))
        raise_failure(outcome.error)
        leaving = stack.pop_all()  # the folder is removed when it has been sent

    async def sent() -> AsyncIterator[bytes]:
        async with leaving:
            async for chunk in iterate_in_threadpool(exports.zipped(folder / exports.EXPORTED, f"{id}-{to}")):
                yield chunk

    named = f"attachment; filename*=UTF-8''{quote(f'{id}-{to}.zip')}"
    return StreamingResponse(sent(), headers={"content-disposition": named}, media_type="application/zip")


def _file(path: Path, kind: str, what: str) -> Response:
    try:
        return Response(path.read_bytes(), media_type=kind)
    except FileNotFoundError as error:
        raise HTTPException(404, f"this voice has no {what} yet") from error
