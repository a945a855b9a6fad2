"""Curves as SVG: they print, and need no script. Inside a page they take its colours; ``standalone`` has its own."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 460
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 38


def svg(height: int, title: str, parts: Sequence[str]) -> str:
    """Put parts together."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def label(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Write a text; kind: its class."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draw a straight line; kind: its class."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def widened(low: float, high: float) -> tuple[float, float]:
    """Leave some room around what is drawn, but none below 0 where nothing can be."""
    margin = (high - low or 1.0) * 0.08
    return (max(0.0, low - margin) if low >= 0 else low - margin), high + margin


def curves(series: Mapping[str, Sequence[tuple[float, float]]], title: str, axis: str, digits: int = 2) -> str:
    """Draw lines over a common axis."""
    drawn = [point for points in series.values() for point in points]
    left, right = min(a for a, _ in drawn), max(a for a, _ in drawn)
    low, high = widened(min(b for _, b in drawn), max(b for _, b in drawn))
    height = 230

    def x(value: float) -> float:
        return LEFT + (value - left) / ((right - left) or 1.0) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (height - TOP - BOTTOM)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        parts += [
            line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"),
            label(LEFT - 8, y(value) + 4, f"{value:.{digits}f}", "end", "tick"),
        ]
    for step in range(6):
        value = left + (right - left) * step / 5
        mark = f"{value:g}" if right < 10 else f"{value:.0f}"
        # the last one stands before its place, where it cannot be cut off
        parts.append(label(x(value), height - BOTTOM + 18, mark, "end" if step == 5 else "middle", "tick"))
    parts.append(label(WIDTH - RIGHT, height - 5, axis, "end", "tick"))
    for place, points in enumerate(series.values()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" class="line series-{place}"/>')
        if len(points) < 30:
            parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" class="dot series-{place}"/>' for a, b in points]
    return svg(height, title, parts)


STYLE = """
svg { background: white; font: 12px sans-serif } .grid { stroke: #ddd } .tick { fill: #666; font-size: 11px }
.line { fill: none; stroke-width: 1.5 } .dot { stroke: none }
.line.series-0 { stroke: #b0b8c4 } .line.series-1 { stroke: #d1495b; stroke-width: 2 }
.dot.series-0 { fill: #b0b8c4 } .dot.series-1 { fill: #d1495b }
"""


def standalone(drawn: str) -> str:
    """Make a file of what was drawn for a page."""
    opened = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="920" ', 1)
    return opened.replace("</title>", f"</title><style>{STYLE}</style>", 1)
