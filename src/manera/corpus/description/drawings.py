"""What a description shows, as inline SVG that takes its colours from the page."""

import math
from collections.abc import Mapping, Sequence

from manera.drawing import BOTTOM, LEFT, RIGHT, TOP, WIDTH, label, line, svg

WIDE = 960
_CELL, _GAP = 16.5, 2.0
_ZIPF_HEIGHT = 260


def timeline(months: Mapping[str, tuple[int, int]], title: str) -> str:
    """Draw one bar a month, or for long spans some months: theirs standing, the others' hanging below the line."""
    step = max(1, math.ceil(len(months) / 72))
    named = list(months)
    groups = [named[start : start + step] for start in range(0, len(named), step)]
    own = [sum(months[month][0] for month in group) for group in groups]
    others = [sum(months[month][1] for month in group) for group in groups]
    most = max(own, default=1) or 1
    most_others = max(others, default=0)
    ground, room = 130.0, WIDE - 8
    below = 46.0 if most_others else 0.0
    width = min(room / len(groups), 104.0)
    parts = []
    for place, (mine, theirs) in enumerate(zip(own, others, strict=True)):
        x = 4 + place * width
        parts.append(_bar(x, ground, width, 112 * mine / most, "own"))
        if theirs:
            parts.append(_bar(x, ground + 2, width, -below * theirs / most_others, "others"))
    shown = 0.0
    for place, group in enumerate(groups):
        x = 4 + place * width
        if place == 0 or (group[0][:4] != groups[place - 1][0][:4] and x - shown > 60):
            parts.append(label(x, ground + below + 20, group[0] if place == 0 else group[0][:4], "start", "tick"))
            shown = x + (30 if place == 0 else 0)
    highest = 4 + (own.index(most) + 0.5) * width if any(own) else 4
    parts.append(label(highest, 14, str(most), "start" if highest < 30 else "middle", "tick"))
    return _wide(svg(round(ground + below + 26), title, parts))


def heat(hours: Sequence[Sequence[int]], days: Sequence[str], title: str) -> str:
    """Draw a week: a cell for each weekday and hour, the darker the more."""
    most = max(max(row) for row in hours) or 1
    parts = []
    for day, row in enumerate(hours):
        y = TOP + day * (_CELL + _GAP)
        parts.append(label(LEFT - 8, y + 12.5, days[day], "end", "tick"))
        for hour, count in enumerate(row):
            strength = 0.07 + 0.93 * math.sqrt(count / most) if count else 0.04
            parts.append(
                f'<rect x="{LEFT + hour * 17:.1f}" y="{y:.1f}" width="15" height="{_CELL}" rx="3.5" class="bar own" '
                f'fill-opacity="{strength:.2f}"><title>{days[day]} {hour:02}:00 · {count:,}</title></rect>'
            )
    bottom = TOP + 7 * (_CELL + _GAP) + 14
    parts += [label(LEFT + hour * 17 + 7.5, bottom, f"{hour:02}", "middle", "tick") for hour in range(0, 24, 3)]
    return svg(round(bottom + 8), title, parts)


def pairs(own: Sequence[float], others: Sequence[float] | None, names: Sequence[str], title: str) -> str:
    """Draw shares side by side: one's own, and where they are given those of others."""
    height, most = 190, max([*own, *(others or ()), 1e-9])
    step = (WIDTH - 16) / len(own)
    ground = height - 26
    parts = [line(8, ground, WIDTH - 8, ground, "grid")]
    for place, name in enumerate(names):
        x = 8 + place * step
        bars = [("own", own[place])] + ([("others", others[place])] if others else [])
        width = (step - 8) / len(bars)
        for index, (kind, share) in enumerate(bars):
            parts.append(_bar(x + 4 + index * width, ground, width, (ground - 26) * share / most, kind))
        top = ground - (ground - 26) * own[place] / most
        if own[place] >= 0.005:
            centre = x + 4 + width / 2
            parts.append(label(centre, top - 5, f"{own[place]:.0%}", "middle", "tick"))
        parts.append(label(x + step / 2, ground + 17, name, "middle", "tick"))
    return svg(height, title, parts)


def zipf(points: Sequence[tuple[int, int]], title: str, axis: str) -> str:
    """Draw counts of words over their ranks, both logarithmic, and Zipf's law through the first decades."""
    right = math.log10(max(points[-1][0], 10))
    top = math.log10(max(points[0][1], 10)) * 1.04

    def x(rank: float) -> float:
        return LEFT + math.log10(rank) / right * (WIDTH - LEFT - RIGHT - 6)

    def y(count: float) -> float:
        return TOP + (1 - math.log10(count) / top) * (_ZIPF_HEIGHT - TOP - BOTTOM)

    parts = []
    for power in range(int(top) + 1):
        parts += [line(LEFT, y(10**power), WIDTH - RIGHT, y(10**power), "grid")]
        parts += [label(LEFT - 8, y(10**power) + 4, f"{10**power:,}", "end", "tick")]
    for power in range(int(right) + 1):
        parts.append(label(x(10**power), _ZIPF_HEIGHT - BOTTOM + 18, f"{10**power:,}", "middle", "tick"))
    first = points[0][1]
    end = min(10**right, first)
    parts.append(line(x(1), y(first), x(end), y(max(1.0, first / end)), "law"))
    path = " ".join(f"{x(rank):.1f},{y(count):.1f}" for rank, count in points)
    parts += [f'<polyline points="{path}" class="line own"/>']
    parts += [f'<circle cx="{x(rank):.1f}" cy="{y(count):.1f}" r="2.6" class="dot own"/>' for rank, count in points]
    parts.append(label(WIDTH - RIGHT, _ZIPF_HEIGHT - 6, axis, "end", "tick"))
    return svg(_ZIPF_HEIGHT, title, parts)


def _bar(x: float, ground: float, width: float, tall: float, kind: str) -> str:
    """Draw a bar that stands on the ground, or hangs from it where it is less than nothing tall."""
    top = ground - max(tall, 0.0)
    gap = min(1.0, width / 6)
    radius = min(2.5, (width - 2 * gap) / 3)
    return (
        f'<rect x="{x + gap:.1f}" y="{top:.1f}" width="{width - 2 * gap:.1f}" height="{abs(tall):.1f}" '
        f'rx="{radius:.1f}" class="bar {kind}"/>'
    )


def _wide(drawn: str) -> str:
    return drawn.replace(f'viewBox="0 0 {WIDTH} ', f'viewBox="0 0 {WIDE} ', 1)
