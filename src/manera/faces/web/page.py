"""The page in one language: its tabs, and what they share."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from manera.faces.api import Api, ApiError
from manera.faces.web.words import Say, words_of

CSS = Path(__file__).with_name("studio.css")
THEME = gr.themes.Base(
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
    primary_hue=gr.themes.Color(
        *("#eef5f2", "#d7e8e1", "#b1d2c5", "#83b5a2", "#579480", "#3d7a67", "#2f5d50", "#264a40", "#1f3b33", "#182e28"),
        "#0e1d19",
    ),
    neutral_hue="stone",
    radius_size="md",
    spacing_size="sm",
)
SHOWN_EVERY = 0.08
"""Seconds between two pictures of a text that grows."""

MAX_AT_ONCE = 32
"""Requests of one kind that run together: the API has its own queue."""


_GO_TO = "id => { if (!navigator.userActivation.hasBeenActive) document.getElementById(`tab-${id}-button`)?.click() }"
"""Nobody who went to another tab meanwhile is called back."""


@dataclass
class Page:
    """What the tabs of a page share: its words, the API, whose page it is, and everything that chooses a voice."""

    say: Say
    language: str
    api: Api
    user: gr.State
    max_upload: int
    pickers: list[tuple[gr.Dropdown, Callable[[list[dict[str, Any]], str], list[tuple[str, str]]]]] = field(
        default_factory=list
    )

    def picker(self, choices: Callable[[list[dict[str, Any]], str], list[tuple[str, str]]], label: str) -> gr.Dropdown:
        """Make a choice of voices that follows those that come and go."""
        made = gr.Dropdown([], label=self.say(label), interactive=True, filterable=False)
        self.pickers.append((made, choices))
        return made

    async def choices(self, *chosen: str | None) -> list[Any]:
        """Read the voices anew, and return every picker's choices; what is chosen stays where it still can."""
        cards, base = await self.voices()
        updates = []
        for (_, choose), value in zip(self.pickers, chosen, strict=True):
            names = choose(cards, base)
            kept = value if value in [id for _, id in names] else next((id for _, id in names), None)
            updates.append(gr.Dropdown(choices=names, value=kept))
        return updates

    async def voices(self) -> tuple[list[dict[str, Any]], str]:
        """Return the cards of all voices, and the id of the untuned base; none where the API does not answer."""
        try:
            cards: list[dict[str, Any]] = (await self.api.get("/v1/voices"))["data"]
            models = [model["id"] for model in (await self.api.get("/v1/models"))["data"]]
        except ApiError as error:
            self.warn(error)
            return [], ""
        names = {card["id"] for card in cards}
        return cards, next((model for model in models if model not in names), "")

    def warn(self, error: ApiError) -> None:
        """Say on the page what the API said."""
        gr.Warning(self.say("unreachable") if error.status is None else error.message, title=self.say("title"))


class Pace:
    """When a text that grows is to be shown again: each of its words by itself would drown a browser."""

    def __init__(self) -> None:
        self._shown_at = -SHOWN_EVERY

    def is_due(self) -> bool:
        """Tell whether it was last shown long enough ago, and count it as shown if so."""
        now = time.monotonic()
        if now - self._shown_at < SHOWN_EVERY:
            return False
        self._shown_at = now
        return True


def talking(cards: list[dict[str, Any]], base: str, kinds: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the voices that can be asked here."""
    return [(card["id"], card["id"]) for card in cards if card["can_talk"] and (not kinds or card["kind"] in kinds)]


def build(language: str, api: Api, max_upload: int, secret: str) -> gr.Blocks:
    """Build the page. secret: what the state that a browser keeps is sealed with."""
    from manera.faces.web import chat, compare, library, making, writing

    say = words_of(language)
    with gr.Blocks(title=say("title"), analytics_enabled=False, fill_width=True, delete_cache=(600, 600)) as page:
        kept = gr.BrowserState({}, storage_key="manera", secret=secret)
        user = gr.State("")
        other = "en" if language == "ru" else "ru"
        gr.HTML(
            f"<header><h1>{say('title')}</h1><p>{say('claim')}</p>"
            f'<nav><a href="/{other}/" lang="{other}">{say("other_language")}</a></nav></header>',
            elem_id="head",
        )
        shared = Page(say, language, api, user, max_upload)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            opened = {}
            for id, tab in (("new", making), ("chat", chat), ("write", writing), ("compare", compare)):
                with gr.Tab(say(id), id=id, elem_id=f"tab-{id}"):
                    opened[id] = tab.tab(shared)
            with gr.Tab(say("voices"), id="voices") as voices:
                opened["voices"] = library.tab(shared)
        pickers = [picker for picker, _ in shared.pickers]
        arrived = page.load(_known, [kept], [kept, user], queue=False)
        listed = arrived.then(shared.choices, pickers, pickers, show_progress="hidden")
        for part in opened.values():
            for act, takes, gives in part.on_load:
                listed.then(act, takes, gives, show_progress="hidden")
        for event in (tabs.change, *(event for part in opened.values() for event in part.made)):
            event(shared.choices, pickers, pickers, show_progress="hidden")
        voices.select(*opened["voices"].on_load[0], show_progress="hidden")
        first = gr.Textbox(visible="hidden")
        page.load(_first_tab(shared), None, first, show_progress="hidden").then(None, first, None, js=_GO_TO)
    return page


@dataclass
class Part:
    """What a tab wants done: functions, with what they take and give, when the page is opened.

    made: events after which there are other voices to choose from.
    """

    on_load: list[tuple[Callable[..., Any], list[Any], list[Any]]] = field(default_factory=list)
    made: list[Callable[..., Any]] = field(default_factory=list)


def _known(kept: dict[str, str] | None) -> tuple[dict[str, str], str]:
    """Return who a browser is: a secret that it alone keeps, made when it first comes."""
    known = kept if kept and kept.get("user") else {"user": f"web:{secrets.token_urlsafe(18)}"}
    return known, known["user"]


def _first_tab(shared: Page) -> Callable[[], Any]:
    async def chosen() -> str:
        cards, _ = await shared.voices()
        usable = {card["kind"] for card in cards if card["can_talk"]}
        return "chat" if "dialogue" in usable else "write" if usable else "new"

    return chosen
