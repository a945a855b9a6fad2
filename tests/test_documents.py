"""What is written about the code is what the code says, and every link leads somewhere."""

import json
from pathlib import Path

import links
import pytest
import reference

import results


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (reference.FOLDER / f"{name}.md").read_text("utf-8")
    assert written == reference.PAGES[name](), "run: make docs"


def test_the_results_are_the_saved_figures() -> None:
    document = json.loads(results.RESULTS.read_text("utf-8"))
    assert results.PAGE.read_text("utf-8") == results.page(document)


def test_every_link_leads_somewhere() -> None:
    assert list(links.broken(links.pages())) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Кто есть кто?\n", "utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n"
        "[a](other.md) [b](other.md#кто-есть-кто) [c](#here) [d](https://example.org/none.md) `[code](none.md)`\n\n"
        "| table |\n| --- |\n| [e](none.md) |\n\n"
        "[f](other.md#none) ![g](none.png) [h](#none)\n",
        "utf-8",
    )
    found = [one.rpartition(": ")[2] for one in links.broken([page])]
    assert found == ["none.md", "other.md#none", "none.png", "#none"]
