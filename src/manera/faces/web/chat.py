"""The chat: a voice answers as it writes; what it recalls, and why it said that, can be seen."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces
from manera.faces.web.page import MAX_AT_ONCE, Pace, Page, Part, talking

MAX_SHOWN = 200
"""Turns of the history that the page shows."""

Turns = list[dict[str, Any]]
Ids = list[int | None]


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    with gr.Row(elem_classes="bar"):
        voice = page.picker(lambda cards, base: talking(cards, base, ("dialogue",)), "voice")
        strength = gr.Slider(0, 1.5, 1, step=0.05, label=say("strength"), info=say("strength_note"))
        remember = gr.Checkbox(True, label=say("remember"))
    chat = gr.Chatbot(
        show_label=False,
        label=say("chat"),
        elem_id="talk",
        height="calc(100vh - 29rem)",
        min_height=280,
        render_markdown=False,
        group_consecutive_messages=False,
        editable="all",
        buttons=["copy"],
        placeholder=say("imitation"),
        layout="bubble",
    )
    ids = gr.State([])
    recalled = gr.HTML(elem_id="recalled")
    with gr.Row(elem_classes="say"):
        said = gr.Textbox(
            show_label=False, label=say("say"), placeholder=say("say"), lines=1, max_lines=6, scale=8, elem_id="said"
        )
        send = gr.Button(say("send"), variant="primary", scale=1, min_width=110)
        stop = gr.Button(say("stop"), variant="stop", scale=1, min_width=110, visible=False)
    with gr.Row(elem_classes="actions"):
        again = gr.Button(say("again"), size="sm")
        why = gr.Button(say("why"), size="sm")
        anew = gr.Button(say("anew"), size="sm")
    explained = gr.HTML(elem_id="why")
    wired = _Chat(page)
    settings = [voice, strength, remember, page.user]
    shown = [chat, ids, recalled]

    def follow(event: Any) -> None:
        """Show the stop button while a reply is written."""
        replying = event.then(lambda: (gr.Button(visible=False), gr.Button(visible=True)), None, [send, stop])
        replying = replying.then(
            wired.reply, [chat, ids, *settings], shown, concurrency_limit=MAX_AT_ONCE, show_progress="hidden"
        )
        replying.then(lambda: (gr.Button(visible=True), gr.Button(visible=False)), None, [send, stop])
        stop.click(lambda: (gr.Button(visible=True), gr.Button(visible=False)), None, [send, stop], cancels=[replying])

    for event in (said.submit, send.click):
        follow(event(wired.say, [said, chat, ids, voice], [said, chat, ids, explained]))
    follow(again.click(wired.take_back, [chat, ids, *settings], [chat, ids]))
    follow(chat.retry(wired.take_back, [chat, ids, *settings], [chat, ids]))
    follow(chat.edit(wired.edit, [chat, ids, *settings], [chat, ids]))
    chat.like(wired.like, [chat, voice, page.user], None)
    why.click(wired.why, [chat, voice], explained)
    chat.clear(wired.anew, [voice, remember, page.user], [*shown, explained])
    anew.click(wired.anew, [voice, remember, page.user], [*shown, explained])
    voice.change(wired.history, [voice, remember, page.user], [*shown, explained])
    remember.input(wired.history, [voice, remember, page.user], [*shown, explained])
    return Part([(wired.history, [voice, remember, page.user], [*shown, explained])])


class _Chat:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.api = page.api

    def say(self, said: str, turns: Turns, ids: Ids, voice: str | None) -> tuple[str, Turns, Ids, str]:
        """Put what was said into the conversation; it stays in the box where nobody is there to hear it."""
        if not voice:
            gr.Warning(self.page.say("no_voices"), title=self.page.say("title"))
        if not said.strip() or not voice:
            return said, turns, ids, ""
        return "", [*turns, {"role": "user", "content": said.strip()}], [*ids, None], ""

    async def reply(
        self, turns: Turns, ids: Ids, voice: str, strength: float, remember: bool, user: str
    ) -> AsyncIterator[tuple[Turns, Ids, str]]:
        """Answer the last turn as it is written; an error takes nothing away."""
        if not turns or turns[-1]["role"] != "user" or not voice:
            yield turns, ids, ""
            return
        asked = [{"role": turn["role"], "content": text_of(turn)} for turn in turns]
        body: dict[str, Any] = {"model": voice, "messages": asked, "voice_scale": strength}
        if remember:
            body |= {"messages": asked[-1:], "memory": {"user": user, "chat": chat_of(voice)}}
        written, pace = "", Pace()
        told: dict[str, Any] = {}
        try:
            async for chunk in self.api.chat(body, uuid4().hex):
                told = chunk.get("memory") or told
                for choice in chunk["choices"]:
                    written += choice["delta"].get("content") or ""
                if pace.is_due():
                    yield [*turns, {"role": "assistant", "content": written or "…"}], [*ids, None], ""
        except ApiError as error:
            self.page.warn(error)
            yield turns, ids, ""
            return
        if told:
            ids = [*ids[:-1], told.get("asked")]
        answer = written.strip() or self.page.say("wrote_nothing")
        yield (
            [*turns, {"role": "assistant", "content": answer}],
            [*ids, told.get("turn")],
            pieces.recalled(told.get("recalled") or (), self.page.say),
        )

    async def take_back(
        self, turns: Turns, ids: Ids, voice: str, strength: float, remember: bool, user: str
    ) -> tuple[Turns, Ids]:
        """Take the last reply back, so that another one can be written."""
        last = next((at for at in range(len(turns) - 1, -1, -1) if turns[at]["role"] == "user"), None)
        if last is None:
            return turns, ids
        await self._forget_from(ids[last:], voice, remember, user)
        return turns[: last + 1], [*ids[:last], None]

    async def edit(
        self,
        turns: Turns,
        ids: Ids,
        voice: str,
        strength: float,
        remember: bool,
        user: str,
        edited: gr.EditData,
    ) -> tuple[Turns, Ids]:
        """Go on from a turn that was said differently; what came after it is gone. A reply is corrected instead."""
        at = edited.index if isinstance(edited.index, int) else edited.index[0]
        if turns[at]["role"] == "assistant":
            instead, written = str(edited.value).strip(), str(edited.previous_value).strip()
            return await self._correct(turns, at, instead, written, voice, user), ids
        await self._forget_from(ids[at:], voice, remember, user)
        return [*turns[:at], {"role": "user", "content": str(edited.value)}], [*ids[:at], None]

    async def _correct(self, turns: Turns, at: int, instead: str, written: str, voice: str, user: str) -> Turns:
        """Keep what a reply should have been as a preference; in turns the page has changed it already."""
        if not instead:
            return [*turns[:at], {"role": "assistant", "content": written}, *turns[at + 1 :]]
        if instead == written:
            return turns
        await self._prefer(turns[:at], voice, user, chosen=instead, rejected=written, source="correction")
        return [*turns[:at], {"role": "assistant", "content": instead}, *turns[at + 1 :]]

    async def _forget_from(self, ids: Ids, voice: str, remember: bool, user: str) -> None:
        first = next((id for id in ids if id is not None), None)
        if not remember or first is None:
            return
        try:
            await self.api.delete("/v1/memory", user=user, voice=voice, chat=chat_of(voice), from_turn=first)
        except ApiError as error:
            self.page.warn(error)

    async def history(self, voice: str | None, remember: bool, user: str) -> tuple[Turns, Ids, str, str]:
        """Show what was said before, as the server keeps it."""
        if not voice or not remember or not user:
            return [], [], "", ""
        try:
            turns = await self.api.get("/v1/memory/turns", user=user, voice=voice, chat=chat_of(voice), limit=MAX_SHOWN)
        except ApiError as error:
            if error.status != 404:
                self.page.warn(error)
            return [], [], "", ""
        told = turns["data"]
        return [{"role": one["role"], "content": one["text"]} for one in told], [one["id"] for one in told], "", ""

    async def anew(self, voice: str, remember: bool, user: str) -> tuple[Turns, Ids, str, str]:
        """Forget the conversation, on the server too."""
        if voice and remember:
            try:
                await self.api.delete("/v1/memory", user=user, voice=voice, chat=chat_of(voice))
            except ApiError as error:
                self.page.warn(error)
        return [], [], "", ""

    async def why(self, turns: Turns, voice: str) -> str:
        """Show the training messages nearest to the last reply."""
        last = next((text_of(turn) for turn in reversed(turns) if turn["role"] == "assistant"), None)
        if last is None:
            return pieces.paragraph(self.page.say("nothing_to_explain"), "note")
        try:
            found = await self.api.post(f"/v1/voices/{voice}/why", {"text": last, "count": 5})
        except ApiError as error:
            self.page.warn(error)
            return ""
        return pieces.origins(found["data"], self.page.say)

    async def like(self, turns: Turns, voice: str, user: str, liked: gr.LikeData) -> None:
        """Keep a thumb as a preference."""
        at = liked.index if isinstance(liked.index, int) else liked.index[0]
        side = "chosen" if liked.liked else "rejected"
        await self._prefer(turns[:at], voice, user, source="thumb", **{side: text_of(turns[at])})

    async def _prefer(self, before: Turns, voice: str, user: str, **given: str) -> None:
        messages = [{"role": turn["role"], "content": text_of(turn)} for turn in before]
        try:
            await self.api.post(f"/v1/voices/{voice}/preferences", {"user": user, "messages": messages, **given})
            gr.Info(self.page.say("thanks"), duration=3, title=self.page.say("title"))
        except ApiError as error:
            self.page.warn(error)


def chat_of(voice: str) -> str:
    """Name the one conversation that a browser has with a voice."""
    return f"web:{voice}"


def text_of(turn: dict[str, Any]) -> str:
    """Return what was said in a turn; the page gives it back in parts."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)
