"""Drawings for the page, as inline SVG: they print, need no script, and take their colours from the page."""

import math
from collections.abc import Mapping, Sequence

from manera.drawing import RIGHT, TOP, WIDTH, label, line, svg, widened
from manera.evaluation.measures.intervals import Interval

LABELS = 164
ROW = 34


def intervals(rows: Mapping[str, tuple[Interval, str]], title: str, digits: int = 2) -> str:
    """Draw figures with their intervals below each other; each row has the class it is coloured by."""
    bounds = [bound for found, _ in rows.values() for bound in found if bound == bound]
    low, high = widened(min(bounds), max(bounds))
    room = WIDTH - LABELS - 56 - RIGHT

    def x(value: float) -> float:
        return LABELS + (value - low) / (high - low) * room

    parts = []
    for place, (name, (found, kind)) in enumerate(rows.items()):
        y = TOP + ROW * place + ROW / 2
        parts += [
            label(LABELS - 14, y + 4.5, name, "end"),
            line(LABELS, y, LABELS + room, y, "grid"),
            *([line(x(found.low), y, x(found.high), y, f"whisker {kind}")] if math.isfinite(found.low) else []),
            f'<circle cx="{x(found.value):.1f}" cy="{y:.1f}" r="5.5" class="dot {kind}"/>',
            label(WIDTH - RIGHT, y + 4.5, f"{found.value:.{digits}f}", "end", "figure"),
        ]
    return svg(TOP + ROW * len(rows) + 6, title, parts)


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
        parts += [label(LABELS - 14, ground - 10, name, "end"), line(LABELS, ground, WIDTH - RIGHT, ground, "grid")]
        for index, share in enumerate(row):
            tall = share / highest * (row_height - 14)
            parts.append(
                f'<rect x="{LABELS + index * step + 1:.1f}" y="{ground - tall:.1f}" width="{step - 2:.1f}" '
                f'height="{tall:.1f}" rx="1.5" class="bar series-{place}"/>'
            )
    bottom = TOP + row_height * len(shares) + 12
    for index in range(0, count, max(1, count // 5)):
        if index == count - 1:  # ends where its bar does, lest it be cut off
            parts.append(label(WIDTH - RIGHT, bottom, f"{index * width}+", "end", "tick"))
        else:
            parts.append(label(LABELS + index * step + 1, bottom, f"{index * width}", "start", "tick"))
    parts.append(label(WIDTH - RIGHT, bottom + 16, axis, "end", "tick"))
    return svg(bottom + 22, title, parts)
