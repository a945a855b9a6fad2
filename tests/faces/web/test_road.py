"""The whole road in Chromium: a file is dropped, a voice is learned, talked to, compared, and deleted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, ViewportSize, expect

from jobs_home import QUICK, export, serving
from manera.faces.api import Api
from manera.faces.web.app import create_studio
from manera.faces.web.settings import WebConfig
from manera.faces.web.words import words_of
from manera.files import read_records
from manera.jobs.folder import Tenant
from manera.jobs.preferences import Preference, keep_preference
from manera.records import Message
from manera.voice.preferences import preferences_file
from running import running
from waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),  # gradio's queue counts with an older pandas
]

PATIENCE = 60_000
VOICE = "аня"
"""As the page proposes to call it."""


@dataclass
class Visit:
    """Somebody on the page: what it is called in their language, and whom their browser asked."""

    page: Page
    url: str
    language: str
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.say = words_of(self.language)
        self.page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.page.on("request", lambda request: self.asked.add(urlsplit(request.url).netloc))

    def come(self) -> None:
        """Open the page as if for the first time, in the browser's language."""
        self.page.goto(self.url)
        expect(self.page).to_have_url(re.compile(f"/{self.language}/$"))
        self.tab("new")

    def tab(self, id: str) -> None:
        self.page.get_by_role("tab", name=self.say(id), exact=True).click()

    def press(self, id: str) -> None:
        self.page.get_by_role("button", name=self.say(id), exact=True).filter(visible=True).click()

    def write(self, label: str, text: str) -> None:
        box = self.page.get_by_label(self.say(label), exact=True).filter(visible=True).locator("visible=true")
        box.press_sequentially(text)

    def fits(self) -> bool:
        """Tell whether nothing on the page is wider than the screen."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@contextmanager
def studio(home: Path, base: Path) -> Iterator[str]:
    with serving(home, base) as http, running(create_studio(Api(str(http.base_url)), WebConfig())) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    for name, value in QUICK.items():
        monkeypatch.setenv(f"MANERA_TRAINING_{name}", value)
    return tmp_path


@pytest.mark.parametrize(("language", "locale", "width"), [("ru", "ru-RU", 1280), ("en", "en-GB", 390)])
def test_road_from_a_file_to_a_voice_that_is_talked_to(
    browser: Browser, home: Path, tiny_base: Path, language: str, locale: str, width: int
) -> None:
    size = ViewportSize(width=width, height=844)
    with studio(home, tiny_base) as url, browser.new_context(viewport=size, locale=locale) as context:
        visit = Visit(context.new_page(), url, language)
        for step in (learns, talks, corrects, writes, compares, plays, goes_on, deletes):
            step(visit)
            assert visit.fits(), step
        assert visit.asked == {urlsplit(url).netloc}


def learns(visit: Visit) -> None:
    """Upload, choose, plan, train; the page is closed in the middle and comes back."""
    page, say = visit.page, visit.say
    visit.come()
    page.locator("#file input[type=file]").set_input_files(
        {"name": "result.json", "mimeType": "application/json", "buffer": b"no export"}
    )
    expect(page.locator("#upload .failed")).to_be_visible()
    page.locator("#file input[type=file]").set_input_files(
        {"name": "result.json", "mimeType": "application/json", "buffer": export()}
    )
    page.locator("#speakers label", has_text="Аня").click()
    expect(page.locator(".quotes li").first).to_be_visible()
    visit.press("see_plan")
    expect(page.locator("#plan .example").first).to_be_visible()
    visit.press("train")
    expect(page.locator("#progress .status")).to_be_visible()
    page.reload()
    visit.tab("new")
    expect(page.locator("#progress .status.done")).to_have_text(say("status.done"))
    expect(page.locator("#progress .losses svg")).to_be_visible()


def talks(visit: Visit) -> None:
    """Say something, get a reply, another one, and where it comes from."""
    page = visit.page
    visit.tab("chat")
    expect(page.get_by_label(visit.say("voice"), exact=True).filter(visible=True)).to_have_value(re.compile(r"\S"))
    said = page.locator("#said textarea")
    said.press_sequentially("Привет, как дела?")
    said.press("Enter")
    replies = page.locator("#talk .bot.message")
    expect(replies).to_have_count(1)
    expect(page.locator("#talk .user.message").first).to_contain_text("Привет, как дела?")
    expect(_button(visit, "send")).to_be_visible()
    visit.press("again")
    expect(_button(visit, "stop")).to_be_visible()
    expect(_button(visit, "send")).to_be_visible()
    visit.press("why")
    expect(page.locator("#why .note")).to_be_visible()
    page.reload()
    visit.tab("chat")
    expect(page.locator("#talk .user.message").first).to_contain_text("Привет, как дела?")


def corrects(visit: Visit) -> None:
    """A thumb and a corrected reply are kept with the voice."""
    page = visit.page
    reply = page.locator("#talk .bot.message").first
    buttons = page.locator("#talk .message-buttons-left").first.locator("button")
    buttons.nth(-1).click()  # thumb up; before it thumb down and the pencil
    buttons.nth(-3).click()
    page.locator("#talk .edit-textarea").fill("И тебе привет.")
    buttons.first.click()
    expect(reply).to_contain_text("И тебе привет.")
    until(lambda: [one.source for one in kept()] == ["thumb", "correction"])
    assert kept()[1].chosen == "И тебе привет."


def kept() -> list[Preference]:
    return list(read_records(preferences_file(VOICE), Preference))


def writes(visit: Visit) -> None:
    """Two drafts appear side by side."""
    visit.tab("write")
    visit.page.locator("#asked textarea").press_sequentially("Про погоду")
    visit.press("write_it")
    for number in (1, 2):
        expect(visit.page.locator(f"#draft-{number} textarea")).to_have_value(re.compile(r"\S"))


def compares(visit: Visit) -> None:
    """Base and voice answer the same question."""
    visit.tab("compare")
    visit.page.locator("#question textarea").press_sequentially("Как дела?")
    visit.press("compare_it")
    for side in ("left", "right"):
        expect(visit.page.locator(f"#{side}-text textarea")).to_have_value(re.compile(r"\S"))


def plays(visit: Visit) -> None:
    """One pair is shown, one vote counted."""
    visit.press("game_begin")
    visit.press("game_choose_a")
    expect(visit.page.locator("#told .note")).to_contain_text("95")


def goes_on(visit: Visit) -> None:
    """The voice learns from thumbs once there are enough, then from a newer export; each time it is said what came."""
    page = visit.page
    visit.tab("voices")
    expect(page.locator("#newer")).to_be_visible()
    expect(page.locator("#learn")).to_be_hidden()
    for number in range(6):
        asked = (Message("user", f"Ну и что ты думаешь? {number}"),)
        keep_preference(VOICE, Tenant(), asked, f"Да, {number}.", f"Нет, {number}.", "thumb")
    visit.press("refresh")
    expect(page.locator("#learn")).to_have_text(visit.say("learn_preferences", count=9))  # with that of the game
    page.locator("#learn").click()
    expect(page.locator("#further .status")).to_be_visible()
    expect(page.locator("#learn")).to_be_hidden()
    page.reload()
    visit.tab("voices")
    expect(page.locator("#further .status.done")).to_be_visible()
    expect(page.locator("#further")).to_contain_text(visit.say("kept"))
    expect(page.locator("#newer")).to_be_visible()
    expect(page.locator("#learn")).to_be_hidden()  # they are learned
    newer = FilePayload(name="result.json", mimeType="application/json", buffer=export(160))
    with page.expect_file_chooser() as chooser:
        page.locator("#newer").click()
    chooser.value.set_files(newer)
    expect(page.locator("#further .busy")).to_be_visible()
    expect(page.locator("#further .status.done")).to_be_visible()
    expect(page.locator("#further")).to_contain_text(visit.say("change_new", before="§", after="§").partition("§")[0])
    expect(page.locator("#further .verdict").first).to_be_visible()


def deletes(visit: Visit) -> None:
    """The voice has its card, and a report once it is measured; it goes when that was confirmed."""
    page = visit.page
    visit.tab("voices")
    expect(page.locator("#cards .card")).to_have_count(1)
    visit.press("make_report")
    with page.expect_popup(timeout=4 * PATIENCE) as report:
        page.locator("#report a.button").click(timeout=4 * PATIENCE)  # a whole evaluation comes first
    expect(report.value.locator("html")).to_have_attribute("lang", visit.language)
    report.value.close()
    visit.press("delete")
    page.locator("#sure").click()
    expect(page.locator("#cards .empty")).to_be_visible()


def _button(visit: Visit, id: str) -> Locator:
    return visit.page.get_by_role("button", name=visit.say(id), exact=True).filter(visible=True)
