"""Texts: a topic becomes a post, a beginning is continued, in several drafts side by side."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web.page import MAX_AT_ONCE, Page, Part, talking

MAX_DRAFTS = 4


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda cards, base: talking(cards, base), "voice")
        strength = gr.Slider(0, 1.5, 1, step=0.05, label=say("strength"), info=say("strength_note"))
        count = gr.Slider(1, MAX_DRAFTS, 2, step=1, label=say("drafts"))
    asked = gr.Textbox(label=say("topic"), lines=3, max_lines=12, elem_id="asked")
    with gr.Row(elem_classes="actions"):
        begin = gr.Button(say("write_it"), variant="primary")
        stop = gr.Button(say("stop"), variant="stop")
    with gr.Row(elem_classes="drafts"):
        drafts = [
            gr.Textbox(
                label=say("draft", number=number + 1),
                lines=8,
                max_lines=24,
                buttons=["copy"],
                min_width=260,
                visible=number < 2,
            )
            for number in range(MAX_DRAFTS)
        ]

    async def label(name: str | None) -> Any:
        cards, _ = await page.voices()
        kind = next((card["kind"] for card in cards if card["id"] == name), "post")
        return gr.Textbox(label=say({"continuation": "beginning", "dialogue": "prompt"}.get(kind, "topic")))

    async def write(name: str | None, weight: float, wanted: float, text: str) -> AsyncIterator[list[Any]]:
        """Write every draft at once, and show them as they grow."""
        if not name or not text.strip():
            return
        texts = [""] * int(wanted)
        body = {
            "model": name,
            "messages": [{"role": "user", "content": text}],
            "voice_scale": weight,
            "n": len(texts),
        }
        try:
            async for chunk in page.api.chat(body):
                for choice in chunk["choices"]:
                    texts[choice["index"]] += choice["delta"].get("content") or ""
                yield _shown(texts)
        except ApiError as error:
            page.warn(error)

    writing = begin.click(
        write, [voice, strength, count, asked], drafts, concurrency_limit=MAX_AT_ONCE, show_progress="hidden"
    )
    stop.click(None, None, None, cancels=[writing])
    voice.change(label, voice, asked, show_progress="hidden")
    return Part()


def _shown(texts: list[str]) -> list[Any]:
    missing = MAX_DRAFTS - len(texts)
    return [gr.Textbox(value=text, visible=True) for text in texts] + [gr.Textbox(visible=False)] * missing
