"""Pictures of the lab as inline SVG, over logarithmic axes; lines of several series lie over each other."""

import math
from collections.abc import Callable, Mapping, Sequence

from manera.drawing import BOTTOM, LEFT, RIGHT, TOP, WIDTH, label, line, svg, widened

HEIGHT = 270
Points = Sequence[tuple[float, float]]


def over_logarithms(
    series: Mapping[str, Points],
    title: str,
    axis: str,
    is_share: bool = False,
    log_y: bool = True,
    digits: int = 2,
    is_joined: bool = True,
) -> str:
    """Draw lines, or dots that are not joined, over a logarithmic axis.

    Upwards they are logarithmic too, shares of one, or plain numbers.
    """
    drawn = [point for points in series.values() for point in points]
    x = _place(min(a for a, _ in drawn), max(a for a, _ in drawn))
    marks = _powers(min(a for a, _ in drawn), max(a for a, _ in drawn))
    low, high = (0.0, 1.0) if is_share else (min(b for _, b in drawn), max(b for _, b in drawn))
    if log_y and not is_share:
        of_y = _place(low, high)
        heights: list[tuple[float, str]] = [(power, _short(power)) for power in _powers(low, high)]
    else:
        low, high = (0.0, 1.0) if is_share else widened(low, high)
        of_y = _linear(low, high)
        steps = [low + (high - low) * step / 4 for step in range(5)]
        heights = [(step, f"{step:.0%}" if is_share else f"{step:.{digits}f}") for step in steps]

    def across(value: float) -> float:
        return LEFT + x(value) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return TOP + (1 - of_y(value)) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value, words in heights:
        parts += [line(LEFT, up(value), WIDTH - RIGHT, up(value), "grid")]
        parts.append(label(LEFT - 8, up(value) + 4, words, "end", "tick"))
    for mark in marks:
        anchor = "end" if across(mark) > WIDTH - RIGHT - 20 else "middle"
        parts.append(label(across(mark), HEIGHT - BOTTOM + 18, _short(mark), anchor, "tick"))
    parts.append(label(WIDTH - RIGHT, HEIGHT - 5, axis, "end", "tick"))
    for place, points in enumerate(series.values()):
        if is_joined:
            path = " ".join(f"{across(a):.1f},{up(b):.1f}" for a, b in points)
            parts.append(f'<polyline points="{path}" class="line series-{place}"/>')
        radius = 2.6 if is_joined else 4.0
        parts += [
            f'<circle cx="{across(a):.1f}" cy="{up(b):.1f}" r="{radius}" class="dot series-{place}">'
            f"<title>{a:,.0f}: {b:,.4g}</title></circle>"
            for a, b in points
        ]
    return svg(HEIGHT, title, parts)


def _short(number: int) -> str:
    """Write thousands as k and millions as M, which leaves room beside the axis."""
    if number >= 1_000_000:
        return f"{number // 1_000_000}M"
    return f"{number // 1000}k" if number >= 1000 else str(number)


def bars(shares: Mapping[str, float], notes: Mapping[str, str], title: str) -> str:
    """Draw shares of one as bars with their names, and a note behind each."""
    row, start = 30, 116
    room = WIDTH - start - 130
    top = max(0.1, *shares.values())
    parts = []
    for place, (name, share) in enumerate(shares.items()):
        y = place * row + 8
        parts.append(label(start - 10, y + 14, name, "end"))
        parts.append(
            f'<rect x="{start}" y="{y}" width="{max(1.5, share / top * room):.1f}" height="19" rx="4" class="bar"/>'
        )
        parts.append(label(start + share / top * room + 8, y + 14, f"{share:.0%}  {notes[name]}", "start", "tick"))
    return svg(len(shares) * row + 12, title, parts)


def _place(low: float, high: float) -> Callable[[float], float]:
    """Return where a number stands between two others, by their logarithms."""
    start, end = math.log10(max(low, 1)), math.log10(max(high, 10))
    return lambda value: (math.log10(max(value, 1)) - start) / ((end - start) or 1.0)


def _linear(low: float, high: float) -> Callable[[float], float]:
    return lambda value: (value - low) / ((high - low) or 1.0)


def _powers(low: float, high: float) -> list[int]:
    """Return the powers of ten between two numbers, or else round numbers between them."""
    powers = [10**power for power in range(10) if low <= 10**power <= high]
    if len(powers) >= 2:
        return powers
    return [step * 10**power for power in range(10) for step in (1, 2, 5) if low <= step * 10**power <= high]
