"""The voices that are here: their figures, reports, exports and end."""

from typing import Any
from urllib.parse import quote

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces
from manera.faces.web.further import POLL_SECONDS, Further, Work
from manera.faces.web.page import Page, Part

FORMATS = ("ollama", "gguf", "peft", "merged", "vllm")


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    cards = gr.HTML(elem_id="cards")
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda known, base: [(card["id"], card["id"]) for card in known], "voice")
        refresh = gr.Button(say("refresh"), size="sm", scale=0, min_width=140)
    report = gr.HTML(elem_id="report")
    with gr.Row(elem_classes="actions"):
        measure = gr.Button(say("make_report"), size="sm", visible=False, elem_id="measure")
        learn = gr.Button(size="sm", visible=False, elem_id="learn")
        newer = gr.UploadButton(say("grow"), size="sm", visible=False, file_count="single", elem_id="newer")
    working = gr.HTML(elem_id="further")
    with gr.Row(visible=False, elem_classes="actions") as running:
        stop = gr.Button(say("stop_unchanged"), size="sm", variant="stop")
    work, ended, timer = gr.State(None), gr.State(None), gr.Timer(POLL_SECONDS, active=False)
    with gr.Row(elem_classes="bar"):
        to = gr.Dropdown(list(FORMATS), value=FORMATS[0], label=say("export_to"), filterable=False)
        link = gr.HTML(elem_id="export")
    with gr.Row(elem_classes="actions"):
        remove = gr.Button(say("delete"), size="sm", variant="stop")
        sure = gr.Button(visible=False, size="sm", variant="stop", elem_id="sure")
    told = gr.HTML()

    async def look(name: str | None, kind: str, work: Work | None) -> tuple[Any, ...]:
        """Show all voices, what is known of the chosen one, and what can be done with it now."""
        known, _ = await page.voices()
        card = next((card for card in known if card["id"] == name), None)
        hidden = gr.Button(visible=False)
        if card is None:
            return pieces.cards(known, say), "", "", hidden, hidden, hidden, gr.UploadButton(visible=False)
        return (
            pieces.cards(known, say),
            _report(card, page),
            _export(card["id"], kind, page),
            hidden,
            gr.Button(visible=not work and not card["has_report"]),
            _learn(card, page, is_idle=not work),
            gr.UploadButton(visible=not work and card["can_grow"]),
        )

    async def delete(name: str | None) -> str:
        if not name:
            return ""
        try:
            await page.api.delete(f"/v1/voices/{quote(name)}")
        except ApiError as error:
            page.warn(error)
            return ""
        return pieces.paragraph(say("deleted", name=name), "note")

    further = Further(page)
    asked, seen = [voice, to, work], [cards, report, link, sure, measure, learn, newer]
    pickers = [picker for picker, _ in page.pickers]
    shown = [work, working, timer, running, ended]
    begun = (
        measure.click(further.measure, [voice, page.user], shown),
        learn.click(further.learn, [voice, page.user], shown),
        newer.upload(further.send, [newer, voice, page.user], shown, concurrency_limit=8),
    )
    chosen = refresh.click(page.choices, pickers, pickers, show_progress="hidden")
    for event in (voice.change, to.change, ended.change, chosen.then, *(one.then for one in begun)):
        event(look, asked, seen, show_progress="hidden")
    timer.tick(further.follow, [work, page.user], shown, show_progress="hidden", concurrency_limit=None)
    stop.click(further.stop, [work, page.user], None)
    remove.click(
        lambda name: gr.Button(say("delete_sure", name=name), visible=bool(name)), voice, sure, show_progress="hidden"
    )
    gone = sure.click(delete, voice, told).then(page.choices, pickers, pickers, show_progress="hidden")
    gone.then(look, asked, seen, show_progress="hidden")
    return Part([(look, asked, seen), (further.resume, [page.user], shown)])


def _report(card: dict[str, Any], page: Page) -> str:
    say = page.say
    told = pieces.verdict(card, say)
    if not card["has_report"]:
        return told
    link = f"/files/voices/{quote(card['id'])}/report.html?language={page.language}"
    return f'{told}<p><a class="button" href="{link}" target="_blank" rel="noopener">{say("read_report")}</a></p>'


def _learn(card: dict[str, Any], page: Page, is_idle: bool) -> Any:
    """Offer to learn what people preferred, where that is enough."""
    has_enough = card["preferences"] >= card["preferences_needed"]
    label = page.say("learn_preferences", count=pieces.number(card["preferences"]))
    return gr.Button(label, visible=is_idle and has_enough)


def _export(name: str, to: str, page: Page) -> str:
    link = f"/files/voices/{quote(name)}/export?to={quote(to)}"
    return f'<p><a class="button" href="{link}" download>{page.say("export_get")}</a></p>'
