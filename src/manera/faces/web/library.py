"""The voices that are here: their figures, reports, exports and end."""

from typing import Any
from urllib.parse import quote

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces
from manera.faces.web.page import Page, Part

POLL_SECONDS = 1.0
ENDED = ("done", "stopped", "failed")
FORMATS = ("ollama", "gguf", "peft", "merged", "vllm")


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    cards = gr.HTML(elem_id="cards")
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda known, base: [(card["id"], card["id"]) for card in known], "voice")
        refresh = gr.Button(say("refresh"), size="sm", scale=0, min_width=140)
    report = gr.HTML(elem_id="report")
    measure = gr.Button(say("make_report"), size="sm", visible=False, elem_id="measure")
    measuring, timer = gr.State(None), gr.Timer(POLL_SECONDS, active=False)
    with gr.Row(elem_classes="bar"):
        to = gr.Dropdown(list(FORMATS), value=FORMATS[0], label=say("export_to"), filterable=False)
        link = gr.HTML(elem_id="export")
    with gr.Row(elem_classes="actions"):
        remove = gr.Button(say("delete"), size="sm", variant="stop")
        sure = gr.Button(visible=False, size="sm", variant="stop", elem_id="sure")
    told = gr.HTML()

    async def show() -> str:
        known, _ = await page.voices()
        return pieces.cards(known, say)

    async def chosen(name: str | None, kind: str) -> tuple[str, str, Any, Any]:
        known, _ = await page.voices()
        card = next((card for card in known if card["id"] == name), None)
        hidden = gr.Button(visible=False)
        if card is None:
            return "", "", hidden, hidden
        can_be_measured = gr.Button(visible=not card["has_report"])
        return _report(card, page), _export(card["id"], kind, page), hidden, can_be_measured

    async def begin_measuring(name: str | None, user: str) -> tuple[str | None, Any, Any]:
        if not name:
            return None, gr.skip(), gr.skip()
        try:
            begun = await page.api.post(f"/v1/voices/{quote(name)}/report", {"fast": True, "user": user})
        except ApiError as error:
            page.warn(error)
            return None, gr.skip(), gr.skip()
        return begun["id"], gr.Button(visible=False), gr.Timer(active=True)

    async def follow_measuring(id: str | None, user: str) -> tuple[Any, ...]:
        """Tell how far the measuring is, and show in the end what came of it."""
        if id is None:
            return "", gr.Timer(active=False), gr.skip(), gr.skip()
        try:
            found = await page.api.get(f"/v1/trainings/{id}", user=user)
        except ApiError as error:
            return pieces.paragraph(error.message, "failed"), gr.Timer(active=False), gr.skip(), gr.skip()
        told = pieces.progress(found, say)
        if found["status"] not in ENDED:
            return told, gr.Timer(active=True), gr.skip(), gr.skip()
        known, _ = await page.voices()
        card = next((card for card in known if card["id"] == found["voice"]), None)
        return told, gr.Timer(active=False), pieces.cards(known, say), _report(card, page) if card else ""

    async def delete(name: str | None) -> str:
        if not name:
            return ""
        try:
            await page.api.delete(f"/v1/voices/{quote(name)}")
        except ApiError as error:
            page.warn(error)
            return ""
        return pieces.paragraph(say("deleted", name=name), "note")

    details = [report, link, sure, measure]
    pickers = [picker for picker, _ in page.pickers]
    voice.change(chosen, [voice, to], details, show_progress="hidden")
    to.change(chosen, [voice, to], details, show_progress="hidden")
    refresh.click(show, None, cards).then(page.choices, pickers, pickers, show_progress="hidden")
    measure.click(begin_measuring, [voice, page.user], [measuring, measure, timer])
    timer.tick(
        follow_measuring,
        [measuring, page.user],
        [told, timer, cards, report],
        show_progress="hidden",
        concurrency_limit=None,
    )
    remove.click(
        lambda name: gr.Button(say("delete_sure", name=name), visible=bool(name)), voice, sure, show_progress="hidden"
    )
    gone = sure.click(delete, voice, told).then(show, None, cards, show_progress="hidden")
    gone.then(page.choices, pickers, pickers, show_progress="hidden").then(chosen, [voice, to], details)
    return Part([(show, [], [cards])])


def _report(card: dict[str, Any], page: Page) -> str:
    say = page.say
    told = pieces.verdict(card, say)
    if not card["has_report"]:
        return told
    link = f"/files/voices/{quote(card['id'])}/report.html?language={page.language}"
    return f'{told}<p><a class="button" href="{link}" target="_blank" rel="noopener">{say("read_report")}</a></p>'


def _export(name: str, to: str, page: Page) -> str:
    link = f"/files/voices/{quote(name)}/export?to={quote(to)}"
    return f'<p><a class="button" href="{link}" download>{page.say("export_get")}</a></p>'
