"""Record the studio for the docs, from an upload to the first reply: ``python scripts/pictures.py PAGE``.

The page runs already, on a home of its own without voices: ``MANERA_HOME=FOLDER manera up --web``.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from manera.faces.web.words import words_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CHROMIUM = os.environ.get("MANERA_CHROMIUM", "/usr/bin/chromium")
PATIENCE = 900_000
SIZE = ViewportSize(width=1000, height=700)
say = words_of("ru")


def main(url: str) -> None:
    """Go the road once and write the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, locale="ru-RU")
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        shots = [_shot(page, f"studio-{number}-{name}") for number, name in enumerate(_steps(page), 1)]
        browser.close()
    for shot in shots:
        Image.open(shot).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(shot, optimize=True)


def _steps(page: Page) -> Iterator[str]:
    """Do one thing after another; a name at each point that is worth a picture."""
    page.get_by_role("tab", name=say("new"), exact=True).click()
    page.locator("#file input[type=file]").set_input_files(ROOT / "examples" / "chat-ru" / "result.json")
    page.locator("#speakers label").first.wait_for()
    page.locator(".quotes li").first.wait_for()
    yield "who"
    _press(page, "see_plan")
    page.locator("#plan .example").first.wait_for()
    page.locator("#plan").scroll_into_view_if_needed()
    yield "plan"
    _press(page, "train")
    page.locator("#progress progress").wait_for()
    page.locator("#progress .losses").wait_for()
    page.wait_for_timeout(20_000)  # some points on the curve
    yield "training"
    page.locator("#progress .status.done").wait_for()
    yield "verdict"
    page.get_by_role("tab", name=say("chat"), exact=True).click()
    for number, asked in enumerate(("привет, как ты?", "что делаешь вечером?"), 1):
        page.locator("#said textarea").press_sequentially(asked)
        page.locator("#said textarea").press("Enter")
        page.locator("#talk .bot.message").nth(number - 1).wait_for()
        page.get_by_role("button", name=say("send"), exact=True).filter(visible=True).wait_for()
    yield "chat"


def _press(page: Page, id: str) -> None:
    page.get_by_role("button", name=say(id), exact=True).filter(visible=True).click()


def _shot(page: Page, name: str) -> Path:
    page.wait_for_timeout(500)
    path = DOCS / f"{name}.png"
    page.screenshot(path=path)
    return path


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860")
