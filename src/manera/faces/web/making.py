"""A new voice: a file becomes people, one of them a plan, the plan a training that goes on without the page."""

from typing import Any

import gradio as gr

from manera.faces.api import ApiError
from manera.faces.web import pieces, uploading
from manera.faces.web.further import ENDED, POLL_SECONDS
from manera.faces.web.page import Page, Part

DEFAULT_MINUTES = 5


def tab(page: Page) -> Part:
    """Lay out the tab and wire it."""
    say = page.say
    upload, training = gr.State(None), gr.State(None)
    with gr.Column(visible=True, elem_id="drop") as drop:
        gr.HTML(pieces.paragraph(say("new_intro"), "hint"))
        file = gr.File(label=say("file"), file_count="single", height=150, elem_id="file")
    state = gr.HTML(elem_id="upload")
    with gr.Column(visible=False, elem_id="people") as people:
        speaker = gr.Radio([], label=say("who"), elem_id="speakers")
        samples = gr.HTML()
        ledger = gr.HTML()
        with gr.Row(elem_classes="bar"):
            name = gr.Textbox(label=say("name"), max_lines=1, elem_id="name")
            minutes = gr.Slider(1, 60, DEFAULT_MINUTES, step=1, label=say("minutes"))
        with gr.Row(elem_classes="actions"):
            see = gr.Button(say("see_plan"), variant="primary")
            other = gr.Button(say("start_over"))
    with gr.Column(visible=False, elem_id="plan") as planned:
        plan = gr.HTML()
        replace = gr.Checkbox(False, label=say("replace"))
        with gr.Row(elem_classes="actions"):
            train = gr.Button(say("train"), variant="primary")
    progress = gr.HTML(elem_id="progress")
    with gr.Row(visible=False, elem_classes="actions") as running:
        stop = gr.Button(say("stop_and_keep"), variant="stop")
    with gr.Row(visible=False, elem_classes="actions") as ended:
        anew = gr.Button(say("start_over"))
    made = gr.State(None)
    upload_timer, training_timer = gr.Timer(POLL_SECONDS, active=False), gr.Timer(POLL_SECONDS, active=False)

    wired = _Making(page)
    found = [state, people, speaker, ledger, upload_timer, drop]
    followed = [progress, running, ended, training, training_timer, made]
    file.upload(wired.send, [file, page.user], [upload, state, file, upload_timer], concurrency_limit=8)
    upload_timer.tick(wired.look, [upload, page.user], found, show_progress="hidden", concurrency_limit=None)
    speaker.change(wired.choose, [upload, speaker, page.user], [samples, name, planned], show_progress="hidden")
    see.click(wired.plan, [upload, speaker, name, minutes, page.user], [plan, planned, name], concurrency_limit=8)
    started = train.click(
        wired.train, [upload, speaker, name, minutes, replace, page.user], [training, people, planned, training_timer]
    )
    started.then(wired.follow, [training, page.user], followed, show_progress="hidden")
    training_timer.tick(wired.follow, [training, page.user], followed, show_progress="hidden", concurrency_limit=None)
    stop.click(wired.stop, [training, page.user], None)
    cleared = [upload, training, state, people, planned, drop, progress, ended]
    other.click(wired.start_over, [upload, page.user], cleared)
    anew.click(wired.start_over, [upload, page.user], cleared)
    return Part([(wired.resume, [page.user], [*followed, drop])], [made.change])


class _Making:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.api = page.api
        self.text = page.say

    async def send(self, path: str | None, user: str) -> tuple[Any, ...]:
        """Hand a file on to the API, and delete it here, whatever comes of it."""
        if path is None:
            return None, "", None, gr.Timer(active=False)
        try:
            sent = await uploading.send(self.api, path, user)
        except ApiError as error:
            self.page.warn(error)
            return None, pieces.import_failed(error.message, None, self.text), None, gr.Timer(active=False)
        told = pieces.paragraph(self.text("importing", name=sent["filename"]), "busy")
        return sent["id"], told, None, gr.Timer(active=True)

    async def look(self, upload: str | None, user: str) -> tuple[Any, ...]:
        """Show who is in an upload, once that is known."""
        unchanged = gr.skip()
        if upload is None:
            return unchanged, unchanged, unchanged, unchanged, gr.Timer(active=False), unchanged
        try:
            found = await self.api.get(f"/v1/uploads/{upload}", user=user)
        except ApiError as error:
            told = pieces.import_failed(error.message, None, self.text)
            return told, gr.Column(visible=False), unchanged, "", gr.Timer(active=False), gr.Column(visible=True)
        if found["status"] == "importing":
            return unchanged, unchanged, unchanged, unchanged, unchanged, unchanged
        if found["status"] == "failed":
            told = pieces.import_failed(found["error"]["message"], found["error"]["hint"], self.text)
            return told, gr.Column(visible=False), unchanged, "", gr.Timer(active=False), gr.Column(visible=True)
        choices = [(self._speaker_line(one, found["owner"]), one["id"]) for one in found["speakers"]]
        chosen = found["owner"] or choices[0][1]
        return (
            "",
            gr.Column(visible=True),
            gr.Radio(choices=choices, value=chosen),
            self._ledger(found["ledger"]),
            gr.Timer(active=False),
            gr.Column(visible=False),
        )

    def _speaker_line(self, speaker: dict[str, Any], owner: str | None) -> str:
        counted = {name: pieces.number(speaker[name]) for name in ("utterances", "words")}
        line = self.text("speaker_line", name=speaker["name"], **counted)
        return f"{line} ({self.text('owner')})" if speaker["id"] == owner else line

    def _ledger(self, ledger: dict[str, Any]) -> str:
        kept = {name: pieces.number(ledger[name]) for name in ("kept", "read")}
        skipped = {f"{file['source']}: {file.get('detail') or file['reason']}": 1 for file in ledger["skipped"]}
        return (
            pieces.paragraph(self.text("ledger", **kept), "hint")
            + pieces.counts(self.text("left_out"), ledger["dropped"])
            + pieces.counts(self.text("not_read"), skipped)
        )

    async def choose(self, upload: str | None, speaker: str | None, user: str) -> tuple[Any, ...]:
        """Show how somebody writes, and propose a name for the voice."""
        if upload is None or speaker is None:
            return "", "", gr.Column(visible=False)
        try:
            found = await self.api.get(f"/v1/uploads/{upload}", user=user)
        except ApiError as error:
            self.page.warn(error)
            return "", "", gr.Column(visible=False)
        one = next((one for one in found["speakers"] if one["id"] == speaker), None)
        if one is None:
            return "", "", gr.Column(visible=False)
        shown = pieces.paragraph(self.text("samples", name=one["name"]), "hint") + pieces.quotes(one["samples"])
        return shown, "", gr.Column(visible=False)

    async def plan(self, upload: str, speaker: str, name: str, minutes: float, user: str) -> tuple[Any, ...]:
        """Show what would be learned, what is left out, and what it would cost."""
        body = {"upload": upload, "user": user, "speaker": speaker, "minutes": minutes}
        try:
            found = await self.api.post("/v1/plans", body)
        except ApiError as error:
            return pieces.paragraph(error.message, "failed"), gr.Column(visible=True), name
        examples = found["examples"]
        told = self.text(
            "plan",
            train=pieces.number(examples["train"]),
            tokens=pieces.number(found["tokens"]["train"]),
            held_out=pieces.number(examples["validation"] + examples["test"]),
            minutes=f"{max(1, round(found['seconds_expected'] / 60))}",
            memory=f"{found['memory_bytes_expected'] / 1e9:.1f}",
        )
        shown = (
            pieces.paragraph(f"{self.text('kind.' + found['kind'])}. {told}")
            + "".join(pieces.paragraph(self.text(f"warning.{one['id']}"), "hint") for one in found["warnings"])
            + pieces.counts(self.text("left_out"), found["dropped"])
            + pieces.paragraph(self.text("plan_samples"), "hint")
            + pieces.messages(found["samples"])
        )
        return shown, gr.Column(visible=True), name.strip() or found["voice"]

    async def train(
        self, upload: str, speaker: str, name: str, minutes: float, replace: bool, user: str
    ) -> tuple[Any, ...]:
        """Ask for a training; it goes on when the page is closed."""
        body = {
            "upload": upload,
            "user": user,
            "speaker": speaker,
            "voice": name,
            "minutes": minutes,
            "replace": replace,
        }
        try:
            started = await self.api.post("/v1/trainings", body)
        except ApiError as error:
            self.page.warn(error)
            return None, gr.skip(), gr.skip(), gr.Timer(active=False)
        return started["id"], gr.Column(visible=False), gr.Column(visible=False), gr.Timer(active=True)

    async def follow(self, training: str | None, user: str) -> tuple[Any, ...]:
        """Show how far a training is, and what came of it."""
        if training is None:
            return gr.skip(), gr.skip(), gr.skip(), None, gr.Timer(active=False), None
        try:
            found = await self.api.get(f"/v1/trainings/{training}", user=user)
        except ApiError as error:
            told = pieces.paragraph(error.message, "failed")
            return told, gr.Row(visible=False), gr.Row(visible=True), None, gr.Timer(active=False), None
        return self._shown(found)

    def _shown(self, training: dict[str, Any]) -> tuple[Any, ...]:
        has_ended = training["status"] in ENDED
        shown = pieces.progress(training, self.text)
        if has_ended and training["status"] != "failed":
            shown += pieces.verdict(training, self.text)
        can_stop = not has_ended and training["status"] != "stopping"
        return (
            pieces.heading(training["voice"]) + shown,
            gr.Row(visible=can_stop),
            gr.Row(visible=has_ended),
            training["id"],
            gr.Timer(active=not has_ended),
            training["id"] if has_ended else None,
        )

    async def resume(self, user: str) -> tuple[Any, ...]:
        """Take up the last training when the page is opened again; one that has ended is shown as it ended."""
        nothing = ("", gr.Row(visible=False), gr.Row(visible=False), None, gr.Timer(active=False), None)
        try:
            trainings = (await self.api.get("/v1/trainings", user=user))["data"] if user else []
        except ApiError:
            trainings = []  # the voices' own warning says that the API does not answer
        trainings = [one for one in trainings if one["kind"] == "training"]
        going = next((one for one in trainings if one["status"] not in ENDED), None)
        last = going or next(iter(trainings), None)
        return (*(self._shown(last) if last else nothing), gr.Column(visible=going is None))

    async def stop(self, training: str | None, user: str) -> None:
        """Let a training end with the best point so far."""
        if training is None:
            return
        try:
            await self.api.post(f"/v1/trainings/{training}/stop", user=user)
        except ApiError as error:
            self.page.warn(error)

    async def start_over(self, upload: str | None, user: str) -> tuple[Any, ...]:
        """Let go of an upload, and begin with another file."""
        if upload is not None:
            try:
                await self.api.delete(f"/v1/uploads/{upload}", user=user)
            except ApiError as error:
                if error.status != 404:
                    self.page.warn(error)
        hidden, shown = gr.Column(visible=False), gr.Column(visible=True)
        return None, None, "", hidden, hidden, shown, "", gr.Row(visible=False)
