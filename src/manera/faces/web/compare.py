"""Two models side by side, and a game: which of two texts is the person's own?"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces
from manera.faces.web.page import MAX_AT_ONCE, Page, Part, talking


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say

    def with_base(cards: list[dict[str, Any]], base: str) -> list[tuple[str, str]]:
        untuned = [(say("base_model", name=base), base)] if base else []
        return untuned + talking(cards, base)

    def with_base_last(cards: list[dict[str, Any]], base: str) -> list[tuple[str, str]]:
        names = with_base(cards, base)
        return names[1:] + names[:1]

    with gr.Row(elem_classes="bar"):
        left, right = page.picker(with_base, "left"), page.picker(with_base_last, "right")
    asked = gr.Textbox(label=say("prompt"), lines=2, max_lines=8)
    with gr.Row(elem_classes="actions"):
        begin = gr.Button(say("compare_it"), variant="primary")
        stop = gr.Button(say("stop"), variant="stop")
    with gr.Row(elem_classes="drafts"):
        texts = [
            gr.Textbox(label=say(side), lines=6, max_lines=20, min_width=260, buttons=["copy"])
            for side in ("left", "right")
        ]

    async def compare(first: str | None, second: str | None, text: str) -> AsyncIterator[tuple[str, str]]:
        """Let both write at once."""
        if not first or not second or not text.strip():
            return
        written = ["", ""]
        news: asyncio.Queue[ApiError | None] = asyncio.Queue()

        async def write(side: int, model: str) -> None:
            try:
                async for chunk in page.api.chat({"model": model, "messages": [{"role": "user", "content": text}]}):
                    for choice in chunk["choices"]:
                        written[side] += choice["delta"].get("content") or ""
                    news.put_nowait(None)
            except ApiError as error:
                news.put_nowait(error)

        writing = [asyncio.ensure_future(write(side, model)) for side, model in enumerate((first, second))]
        try:
            while not all(task.done() for task in writing) or not news.empty():
                getting = asyncio.ensure_future(news.get())
                await asyncio.wait([getting, *writing], return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    if all(task.done() for task in writing):
                        break
                    await asyncio.wait([task for task in writing if not task.done()], timeout=0.05)
                    continue
                if error := getting.result():
                    page.warn(error)
                yield written[0], written[1]
        finally:
            for task in writing:
                task.cancel()

    comparing = begin.click(compare, [left, right, asked], texts, concurrency_limit=MAX_AT_ONCE, show_progress="hidden")
    stop.click(None, None, None, cancels=[comparing])
    _game(page)
    return Part()


def _game(page: Page) -> None:
    say = page.say
    gr.HTML(f'<h2>{say("game")}</h2><p class="hint">{say("game_note")}</p>')
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda cards, base: talking(cards, base), "voice")
        begin = gr.Button(say("game_begin"), elem_id="game")
    game = gr.State(None)
    asked = gr.HTML()
    with gr.Row(elem_classes="drafts", visible=False) as pair:
        columns = []
        for id in ("game_choose_a", "game_choose_b"):
            with gr.Column(min_width=260):
                columns.append((gr.HTML(elem_classes="text"), gr.Button(say(id))))
    told = gr.HTML()

    async def show(name: str | None, user: str) -> tuple[Any, ...]:
        nothing = (None, "", gr.Row(visible=False), "", "", "")
        if not name:
            return nothing
        try:
            shown = await page.api.post(f"/v1/voices/{name}/games", {"user": user})
        except ApiError as error:
            page.warn(error)
            return nothing
        before = pieces.paragraph(say("game_asked"), "hint") + pieces.quotes([shown["asked"]]) if shown["asked"] else ""
        return (shown["id"], before, gr.Row(visible=True), *(pieces.quotes([text]) for text in shown["texts"]), "")

    def vote_for(choice: int) -> Any:
        async def vote(id: str | None, user: str) -> tuple[str | None, str]:
            if id is None:
                return None, ""
            try:
                found = await page.api.post(f"/v1/games/{id}/vote", {"user": user, "choice": choice})
            except ApiError as error:
                page.warn(error)
                return None, ""
            score = {name: pieces.share(found[name]) for name in ("accuracy", "low", "high")}
            verdict = say("game_right" if found["right"] else "game_wrong")
            return None, pieces.paragraph(f"{verdict} {say('game_score', votes=found['votes'], **score)}", "note")

        return vote

    shown = [game, asked, pair, columns[0][0], columns[1][0], told]
    begin.click(show, [voice, page.user], shown, concurrency_limit=MAX_AT_ONCE)
    for choice, (_, button) in enumerate(columns):
        button.click(vote_for(choice), [game, page.user], [game, told])
