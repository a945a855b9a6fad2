"""Record the studio for the docs, from an upload to the first reply: ``python scripts/pictures.py PAGE [chat]``.

The page runs already, on a home of its own without voices: ``MANERA_HOME=FOLDER manera up --web``.
"""

import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from manera.faces.web.words import words_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CHROMIUM = os.environ.get("MANERA_CHROMIUM", "/usr/bin/chromium")
PATIENCE = 900_000
SIZE = ViewportSize(width=1000, height=800)
ASKED = ("привет, как ты?", "чем занимаешься вечером?", "а кот как?")
say = words_of("ru")


def main(url: str, road: str = "all") -> None:
    """Go the road once, or only talk, and write the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, locale="ru-RU")
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        points = chain(_learn(page) if road == "all" else (), _talk(page))  # each is shown before the road goes on
        shots = [_shot(page, name) for name in points]
        browser.close()
    for shot in shots:
        Image.open(shot).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(shot, optimize=True)


def _learn(page: Page) -> Iterator[str]:
    """Do one thing after another; a name at each point that is worth a picture."""
    page.get_by_role("tab", name=say("new"), exact=True).click()
    page.locator("#file input[type=file]").set_input_files(ROOT / "examples" / "chat-ru" / "result.json")
    page.locator(".quotes li").first.wait_for()
    yield "studio-1-who"
    _press(page, "see_plan")
    page.locator("#plan .example").first.wait_for()
    page.locator("#plan").scroll_into_view_if_needed()
    yield "studio-2-plan"
    _press(page, "train")
    page.locator("#progress .losses").wait_for()
    page.wait_for_timeout(20_000)  # some points on the curve
    yield "studio-3-training"
    page.locator("#progress .status.done").wait_for()
    yield "studio-4-verdict"


def _talk(page: Page) -> Iterator[str]:
    page.get_by_role("tab", name=say("chat"), exact=True).click()
    stop = page.get_by_role("button", name=say("stop"), exact=True).filter(visible=True)
    for asked in ASKED:
        page.locator("#said textarea").press_sequentially(asked)
        page.locator("#said textarea").press("Enter")
        stop.wait_for()
        stop.wait_for(state="hidden")
    page.evaluate("scrollTo(0, 0)")
    yield "studio-5-chat"


def _press(page: Page, id: str) -> None:
    page.get_by_role("button", name=say(id), exact=True).filter(visible=True).click()


def _shot(page: Page, name: str) -> Path:
    page.wait_for_timeout(500)
    path = DOCS / f"{name}.png"
    page.screenshot(path=path)
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
