"""Drawings for the page, as inline SVG: they print, need no script, and take their colours from the page."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from manera.evaluation.measures.intervals import Interval

WIDTH = 460
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 38
LABELS = 164
ROW = 34


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _widened(low: float, high: float) -> tuple[float, float]:
    """Leave some room around what is drawn, but none below 0 where nothing can be."""
    margin = (high - low or 1.0) * 0.08
    return (max(0.0, low - margin) if low >= 0 else low - margin), high + margin


def intervals(rows: Mapping[str, tuple[Interval, str]], title: str, digits: int = 2) -> str:
    """Draw figures with their intervals below each other; each row has the class it is coloured by."""
    bounds = [bound for found, _ in rows.values() for bound in found if bound == bound]
    low, high = _widened(min(bounds), max(bounds))
    room = WIDTH - LABELS - 56 - RIGHT

    def x(value: float) -> float:
        return LABELS + (value - low) / (high - low) * room

    parts = []
    for place, (name, (found, kind)) in enumerate(rows.items()):
        y = TOP + ROW * place + ROW / 2
        parts += [
            _text(LABELS - 14, y + 4.5, name, "end"),
            _line(LABELS, y, LABELS + room, y, "grid"),
            *([_line(x(found.low), y, x(found.high), y, f"whisker {kind}")] if math.isfinite(found.low) else []),
            f'<circle cx="{x(found.value):.1f}" cy="{y:.1f}" r="5.5" class="dot {kind}"/>',
            _text(WIDTH - RIGHT, y + 4.5, f"{found.value:.{digits}f}", "end", "figure"),
        ]
    return _svg(TOP + ROW * len(rows) + 6, title, parts)


def curves(series: Mapping[str, Sequence[tuple[float, float]]], title: str, axis: str, digits: int = 2) -> str:
    """Draw lines over a common axis."""
    points = [point for line in series.values() for point in line]
    left, right = min(a for a, _ in points), max(a for a, _ in points)
    low, high = _widened(min(b for _, b in points), max(b for _, b in points))
    height = 230

    def x(value: float) -> float:
        return LEFT + (value - left) / ((right - left) or 1.0) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (height - TOP - BOTTOM)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        parts += [
            _line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"),
            _text(LEFT - 8, y(value) + 4, f"{value:.{digits}f}", "end", "tick"),
        ]
    for step in range(6):
        value = left + (right - left) * step / 5
        label = f"{value:g}" if right < 10 else f"{value:.0f}"
        # the last one stands before its place, where it cannot be cut off
        parts.append(_text(x(value), height - BOTTOM + 18, label, "end" if step == 5 else "middle", "tick"))
    parts.append(_text(WIDTH - RIGHT, height - 5, axis, "end", "tick"))
    for place, line in enumerate(series.values()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
        parts.append(f'<polyline points="{path}" class="line series-{place}"/>')
        if len(line) < 30:
            parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" class="dot series-{place}"/>' for a, b in line]
    return _svg(height, title, parts)


def histograms(values: Mapping[str, Sequence[int]], title: str, axis: str, bins: int = 16) -> str:
    """Draw shares of values side by side, one row each, over the same bins; the last holds all that are larger."""
    everything = sorted(value for counted in values.values() for value in counted)
    largest = max(1, everything[int(len(everything) * 0.95)]) if everything else 1
    width = max(1, -(-largest // bins))
    count = largest // width + 1
    shares = {
        name: [
            sum(min(value // width, count - 1) == place for value in counted) / max(len(counted), 1)
            for place in range(count)
        ]
        for name, counted in values.items()
    }
    highest = max((share for row in shares.values() for share in row), default=1) or 1
    row_height, room = 58, WIDTH - LABELS - RIGHT
    step = room / count
    parts = []
    for place, (name, row) in enumerate(shares.items()):
        ground = TOP + row_height * (place + 1) - 6
        parts += [_text(LABELS - 14, ground - 10, name, "end"), _line(LABELS, ground, WIDTH - RIGHT, ground, "grid")]
        for index, share in enumerate(row):
            tall = share / highest * (row_height - 14)
            parts.append(
                f'<rect x="{LABELS + index * step + 1:.1f}" y="{ground - tall:.1f}" width="{step - 2:.1f}" '
                f'height="{tall:.1f}" rx="1.5" class="bar series-{place}"/>'
            )
    bottom = TOP + row_height * len(shares) + 12
    for index in range(0, count, max(1, count // 5)):
        if index == count - 1:  # ends where its bar does, lest it be cut off
            parts.append(_text(WIDTH - RIGHT, bottom, f"{index * width}+", "end", "tick"))
        else:
            parts.append(_text(LABELS + index * step + 1, bottom, f"{index * width}", "start", "tick"))
    parts.append(_text(WIDTH - RIGHT, bottom + 16, axis, "end", "tick"))
    return _svg(bottom + 22, title, parts)
