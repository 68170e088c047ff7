"""A line chart as inline SVG: axes, lines, marks at moments; its colours are CSS variables of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 14.0, 24.0
COLORS = 6

Format = Callable[[float], str]


class Line(NamedTuple):
    """`color`: 0 to 5, the page's; `dashed` for what the others are compared with."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int
    dashed: bool = False


class Mark(NamedTuple):
    """A moment: a thin upright line; `kind` gives its colour (drift, promoted, dropped, undecided)."""

    x: float
    text: str
    kind: str


class Chart(NamedTuple):
    """`note` says in words what is to be seen. `log`: a logarithmic axis, for values above 0."""

    title: str
    note: str
    lines: Sequence[Line]
    y: Format
    x: Format
    marks: Sequence[Mark] = ()
    log: bool = False
    from_zero: bool = False


def number(value: float) -> str:
    """Short: at most three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def seconds(value: float) -> str:
    if 0 < value < 1:
        return f"{number(1000 * value)} ms"
    for length, part, unit in ((86_400, 3600, "d"), (3600, 60, "h"), (60, 1, "min")):
        if value >= length:
            whole, rest = divmod(round(value / part), length // part)
            return f"{whole}:{rest:02d} {unit}" if rest else f"{whole} {unit}"
    return f"{value:.3g} s"


def draw(chart: Chart) -> str:
    """A figure: title, legend, picture, note."""
    lines = [line for line in chart.lines if line.points]
    legend = "".join(
        f'<span><i class="c{line.color}{" dash" if line.dashed else ""}"></i>{escape(line.name)}</span>'
        for line in lines
    )
    kinds = dict.fromkeys(mark.kind for mark in chart.marks)
    legend += "".join(f'<span><i class="mark {kind}"></i>{kind}</span>' for kind in kinds)
    body = _picture(chart, lines) if lines else '<p class="none">nothing to show yet</p>'
    return (
        f"<figure><figcaption>{escape(chart.title)}</figcaption>"
        f'<div class="legend">{legend}</div>{body}<p class="note">{escape(chart.note)}</p></figure>'
    )


def _picture(chart: Chart, lines: list[Line]) -> str:
    scale: Callable[[float], float] = math.log10 if chart.log else float
    points = [
        (x, scale(y))
        for line in lines
        for x, y in line.points
        if math.isfinite(y) and (y > 0 or not chart.log)
    ]
    if not points:
        return '<p class="none">nothing to show yet</p>'
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_low, y_high = min(y for _, y in points), max(y for _, y in points)
    if chart.from_zero and not chart.log:
        y_low = min(0.0, y_low)
    x_high = max(x_high, x_low + 1e-9)
    spare = (y_high - y_low) * 0.06 or abs(y_high) * 0.1 or 1.0
    y_low, y_high = (y_low if chart.from_zero and y_low == 0 else y_low - spare), y_high + spare

    def px(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in log_ticks(y_low, y_high) if chart.log else ticks(y_low, y_high):
        y = py(tick)
        label = chart.y(10**tick if chart.log else tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
        )
    for tick in time_ticks(x_low, x_high) if chart.x is seconds else ticks(x_low, x_high, 6):
        where = "end" if px(tick) > WIDTH - RIGHT - 14 else "middle"
        parts.append(
            f'<text class="tick" x="{px(tick):.1f}" y="{HEIGHT - 7}" text-anchor="{where}">{chart.x(tick)}</text>'
        )
    parts += [
        f'<line class="mark {mark.kind}" x1="{px(mark.x):.1f}" x2="{px(mark.x):.1f}" y1="{TOP}" '
        f'y2="{HEIGHT - BOTTOM}"><title>{escape(mark.text)}</title></line>'
        for mark in chart.marks
        if x_low <= mark.x <= x_high
    ]
    for line in lines:
        drawn: list[tuple[float, float]] = []
        for x, y in [*line.points, (0.0, math.nan)]:
            if math.isfinite(y) and (y > 0 or not chart.log):
                drawn.append((px(x), py(scale(y))))
            elif drawn:  # nothing is known there: no line across it
                parts.append(_line(line, drawn))
                drawn = []
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(chart.title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _line(line: Line, drawn: list[tuple[float, float]]) -> str:
    style = f'class="line c{line.color}{" dash" if line.dashed else ""}"'
    title = f"<title>{escape(line.name)}</title>"
    if len(drawn) == 1:
        return f'<circle {style} cx="{drawn[0][0]:.1f}" cy="{drawn[0][1]:.1f}" r="2.5">{title}</circle>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    return f'<polyline {style} points="{path}">{title}</polyline>'


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten apart) within [low, high]."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


TIME_STEPS = [n * unit for unit in (1, 60) for n in (1, 2, 5, 10, 20, 30)] + [
    3600 * n for n in (1, 2, 4, 6, 12, 24)
]


def time_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """As `ticks`, for seconds: steps that are whole seconds, minutes, hours or days."""
    raw = (high - low) / about
    step = next((s for s in TIME_STEPS if s >= raw), 86_400 * math.ceil(raw / 86_400))
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> Iterable[float]:
    """Logarithms of 1, 2, 5 times powers of ten within [low, high]; of the powers alone where those are many."""
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    for power in range(math.floor(low), math.ceil(high) + 1):
        for step in steps:
            if low <= (value := power + math.log10(step)) <= high:
                yield value
