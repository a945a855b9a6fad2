"""Draw docs/speed.svg from what benchmarks/results holds: ``python scripts/picture.py``."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
WIDTH, LABEL, BAR, GAP, TITLE = 760, 250, 22, 8, 34
OURS, THEIRS, INK = "#c2410c", "#a8a29e", "#57534e"

Bars = list[tuple[str, float, str]]


def result(name: str) -> dict[str, Any]:
    """Read one benchmark's saved figures."""
    return dict(json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8")))


def charts() -> list[tuple[str, Bars]]:
    """Return what is compared: a title, and bars of name, tokens per second and colour."""
    training = {name: row["tokens_per_second"] for name, row in result("train-speed")["table"]["prose"]["rows"].items()}
    decoding = {name: row["median"] for name, row in result("generate")["tokens_per_second"].items()}
    return [
        (
            "training, tokens a second",
            [
                ("manera", training["manera"], OURS),
                ("TRL SFTTrainer at its best", training["TRL, float32, no checkpointing"], THEIRS),
                ("TRL SFTTrainer, its defaults", training["TRL, defaults"], THEIRS),
            ],
        ),
        (
            "writing, tokens a second, one stream",
            [
                ("manera, adapter merged", decoding["trimmed, merged adapter"], OURS),
                ("manera, adapter beside the base", decoding["trimmed, hot adapter"], OURS),
                ("llama.cpp, the untrimmed model", decoding["whole"], THEIRS),
            ],
        ),
    ]


def drawn(title: str, bars: Bars, top: int) -> tuple[list[str], int]:
    """Draw one chart from ``top`` down; return its lines and where it ends."""
    longest = max(value for _, value, _ in bars)
    lines = [f'<text x="0" y="{top + 16}" class="title">{title}</text>']
    at = top + TITLE
    for name, value, colour in bars:
        width = (WIDTH - LABEL - 70) * value / longest
        lines += [
            f'<text x="{LABEL - 10}" y="{at + 16}" text-anchor="end">{name}</text>',
            f'<rect x="{LABEL}" y="{at}" width="{width:.0f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LABEL + width + 8:.0f}" y="{at + 16}">{value:,.0f}</text>',
        ]
        at += BAR + GAP
    return lines, at + 14


def main() -> None:
    """Write the picture."""
    lines: list[str] = []
    top = 0
    for title, bars in charts():
        more, top = drawn(title, bars, top)
        lines += more
    style = f"text{{font:14px system-ui,sans-serif;fill:{INK}}} .title{{font-weight:600}}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" role="img">'
    body = "\n".join([head, f"<style>{style}</style>", *lines, "</svg>"])
    (ROOT / "docs" / "speed.svg").write_text(body + "\n", "utf-8")


if __name__ == "__main__":
    main()
