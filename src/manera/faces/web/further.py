"""What becomes of a voice that is there: it is measured, learns from thumbs, or goes on from a newer export."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces, uploading
from manera.faces.web.page import Page

POLL_SECONDS = 1.0
ENDED = ("done", "stopped", "failed")

Work = dict[str, str]
"""What goes on: a training by its id, or, until it is imported, an upload and the voice that is to learn from it."""

Shown = tuple[Any, ...]
"""The work, what is told of it, its timer, what it is stopped with, and the id of a training that has ended."""


class Further:
    """The work on voices of one page, one at a time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.api = page.api
        self.text = page.say

    async def measure(self, name: str | None, user: str) -> Shown:
        """Ask for a report."""
        return await self._begin(f"/v1/voices/{quote(name or '')}/report", {"fast": True, "user": user})

    async def learn(self, name: str | None, user: str) -> Shown:
        """Let a voice learn what people preferred."""
        return await self._begin(f"/v1/voices/{quote(name or '')}/trainings", {"user": user})

    async def send(self, path: str | None, name: str | None, user: str) -> Shown:
        """Hand a newer export on to the API."""
        if path is None or name is None:
            return self._nothing()
        try:
            sent = await uploading.send(self.api, path, user)
        except ApiError as error:
            return self._nothing(pieces.import_failed(error.message, None, self.text))
        told = pieces.paragraph(self.text("importing", name=sent["filename"]), "busy")
        return {"upload": sent["id"], "voice": name}, told, gr.Timer(active=True), gr.Row(visible=False), None

    async def follow(self, work: Work | None, user: str) -> Shown:
        """Tell how far it is: a newer export is learned as soon as it is imported."""
        if work is None:
            return gr.skip(), gr.skip(), gr.Timer(active=False), gr.skip(), gr.skip()
        try:
            if "training" in work:
                return self._shown(await self.api.get(f"/v1/trainings/{work['training']}", user=user))
            found = await self.api.get(f"/v1/uploads/{work['upload']}", user=user)
            if found["status"] == "importing":
                return tuple(gr.skip() for _ in range(5))
            return await self._grow(work, found, user)
        except ApiError as error:
            return self._nothing(pieces.paragraph(error.message, "failed"))

    async def _grow(self, work: Work, upload: Mapping[str, Any], user: str) -> Shown:
        """Let a voice go on from an upload, which goes: the training has what it needs."""
        try:
            if upload["status"] == "failed":
                error = upload["error"]
                return self._nothing(pieces.import_failed(error["message"], error["hint"], self.text))
            body = {"upload": work["upload"], "user": user}
            return self._shown(await self.api.post(f"/v1/voices/{quote(work['voice'])}/trainings", body))
        finally:
            await self.api.delete(f"/v1/uploads/{work['upload']}", user=user)

    async def stop(self, work: Work | None, user: str) -> None:
        """End a training; the voice stays as it was."""
        if work is None or "training" not in work:
            return
        try:
            await self.api.post(f"/v1/trainings/{work['training']}/stop", user=user)
        except ApiError as error:
            self.page.warn(error)

    async def resume(self, user: str) -> Shown:
        """Take up the last work when the page is opened again; one that has ended is shown as it ended."""
        try:
            trainings = (await self.api.get("/v1/trainings", user=user))["data"] if user else []
        except ApiError:
            trainings = []  # the voices' own warning says that the API does not answer
        last = next((one for one in trainings if one["kind"] != "training"), None)
        return self._shown(last) if last else self._nothing()

    async def _begin(self, path: str, body: Mapping[str, Any]) -> Shown:
        try:
            return self._shown(await self.api.post(path, body))
        except ApiError as error:
            self.page.warn(error)
            return self._nothing()

    def _shown(self, training: Mapping[str, Any]) -> Shown:
        has_ended = training["status"] in ENDED
        can_stop = pieces.goes_on(training) and not has_ended and training["status"] != "stopping"
        told = pieces.heading(training["voice"]) + pieces.progress(training, self.text)
        if has_ended and pieces.goes_on(training):
            told += pieces.change(training, self.text)
        return (
            None if has_ended else {"training": training["id"]},
            told,
            gr.Timer(active=not has_ended),
            gr.Row(visible=can_stop),
            training["id"] if has_ended else None,
        )

    def _nothing(self, told: str = "") -> Shown:
        return None, told, gr.Timer(active=False), gr.Row(visible=False), None
