"""The voices that are here: their figures, reports, exports and end."""

from typing import Any
from urllib.parse import quote

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces
from manera.faces.web.page import Page, Part

FORMATS = ("ollama", "gguf", "peft", "merged", "vllm")


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    cards = gr.HTML(elem_id="cards")
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda known, base: [(card["id"], card["id"]) for card in known], "voice")
        refresh = gr.Button(say("refresh"), size="sm", min_width=120)
    report = gr.HTML(elem_id="report")
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

    async def chosen(name: str | None, kind: str) -> tuple[str, str, Any]:
        known, _ = await page.voices()
        card = next((card for card in known if card["id"] == name), None)
        if card is None:
            return "", "", gr.Button(visible=False)
        return _report(card, page), _export(card["id"], kind, page), gr.Button(visible=False)

    async def delete(name: str | None) -> str:
        if not name:
            return ""
        try:
            await page.api.delete(f"/v1/voices/{quote(name)}")
        except ApiError as error:
            page.warn(error)
            return ""
        return pieces.paragraph(say("deleted", name=name), "note")

    details = [report, link, sure]
    pickers = [picker for picker, _ in page.pickers]
    voice.change(chosen, [voice, to], details, show_progress="hidden")
    to.change(chosen, [voice, to], details, show_progress="hidden")
    refresh.click(show, None, cards).then(page.choices, pickers, pickers, show_progress="hidden")
    remove.click(
        lambda name: gr.Button(say("delete_sure", name=name), visible=bool(name)), voice, sure, show_progress="hidden"
    )
    gone = sure.click(delete, voice, told).then(show, None, cards, show_progress="hidden")
    gone.then(page.choices, pickers, pickers, show_progress="hidden").then(chosen, [voice, to], details)
    return Part([(show, [], [cards])])


def report_link(name: str, page: Page) -> str:
    """Return where the page of a voice's report is, as the studio hands it on."""
    return f"/files/voices/{quote(name)}/report.html?language={page.language}"


def _report(card: dict[str, Any], page: Page) -> str:
    say = page.say
    told = pieces.verdict(card.get("recommended"), card.get("because"), say)
    if not card["has_report"]:
        return told
    link = report_link(card["id"], page)
    return f'{told}<p><a class="button" href="{link}" target="_blank" rel="noopener">{say("read_report")}</a></p>'


def _export(name: str, to: str, page: Page) -> str:
    link = f"/files/voices/{quote(name)}/export?to={quote(to)}"
    return f'<p><a class="button" href="{link}" download>{page.say("export_get")}</a></p>'
