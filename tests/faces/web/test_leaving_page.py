"""Stop, and a page that is closed while a text is written: both free the engine."""

import re
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from manera.faces.api import Api
from manera.faces.web.app import create_studio
from manera.faces.web.settings import WebConfig
from manera.faces.web.words import words_of
from manera.generation.engine import Deliver, Finished, IsCancelled, Request
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from running import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),  # gradio's queue counts with an older pandas
]

ENDLESS = 100_000
PATIENCE = 60_000
say = words_of("en")


class Recorded:
    """An engine that also tells why its replies end."""

    def __init__(self, engine: LlamaCpp) -> None:
        self.engine = engine
        self.context_length = engine.context_length
        self.drafts = 1
        self.reasons: SimpleQueue[str] = SimpleQueue()

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        finished = self.engine.generate(request, deliver, is_cancelled)
        self.reasons.put(finished.reason)
        return finished

    def close(self) -> None:
        self.engine.close()


@pytest.fixture
def engine(tiny_base: Path) -> Iterator[Recorded]:
    with open_engine(tiny_base / "base.gguf", slots=2, context_length=4 * ENDLESS, threads=1) as opened:
        yield Recorded(opened)


@pytest.fixture
def url(
    engine: Recorded, tiny_writers: dict[str, Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    base = tiny_writers["tiny-gemma3"]
    endless = msgspec.structs.replace(
        base.sampling, temperature=0, repetition_penalty=None, dry_multiplier=None, max_new_tokens=ENDLESS
    )
    catalogue = Catalogue(engine, "tiny-gemma3", {"tiny-gemma3": base._replace(sampling=endless)}, created=0)
    with running(create_app(catalogue)) as api, running(create_studio(Api(api), WebConfig())) as page:
        yield page


def test_stop_and_leaving_free_the_engine(browser: Browser, engine: Recorded, url: str) -> None:
    with browser.new_context(locale="en") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        page.get_by_role("tab", name=say("compare"), exact=True).click()
        page.locator("#question textarea").press_sequentially("Привет")

        def begin() -> None:
            for side in ("left", "right"):
                picker = page.get_by_label(say(side), exact=True).first
                expect(picker).to_have_value(re.compile(r"\S"), timeout=PATIENCE)
            page.get_by_role("button", name=say("compare_it"), exact=True).click()
            for side in ("left", "right"):
                expect(page.locator(f"#{side}-text textarea")).not_to_have_value("", timeout=PATIENCE)

        begin()
        # while the texts grow, the button moves: it is pressed wherever it is
        page.get_by_role("button", name=say("stop"), exact=True).filter(visible=True).dispatch_event("click")
        assert [engine.reasons.get(timeout=60) for _ in range(2)] == ["cancelled", "cancelled"]
        page.reload()
        page.get_by_role("tab", name=say("compare"), exact=True).click()
        page.locator("#question textarea").press_sequentially("Привет")
        begin()
        page.close()
        assert [engine.reasons.get(timeout=60) for _ in range(2)] == ["cancelled", "cancelled"]
