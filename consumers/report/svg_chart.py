"""Draw a line chart as inline SVG: axes, lines, marks at moments. Its colours are CSS variables of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, MARGIN, BOTTOM = 52.0, 12.0, 14.0, 24.0
COLORS = 6

Format = Callable[[float], str]


class ChartLine(NamedTuple):
    """A line. `color`: 0 to 5, a colour of the page. `dashed`: the other lines are compared with it."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int
    dashed: bool = False


class ChartMark(NamedTuple):
    """A moment, drawn as a thin upright line. `kind` decides its colour (drift, promoted, dropped, undecided)."""

    x: float
    text: str
    kind: str


class Chart(NamedTuple):
    """A chart. `note` says in words what it shows. `log`: a logarithmic axis, for values above 0."""

    title: str
    note: str
    lines: Sequence[ChartLine]
    y: Format
    x: Format
    marks: Sequence[ChartMark] = ()
    log: bool = False
    from_zero: bool = False


def number(value: float) -> str:
    """Write a number with at most three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def seconds(value: float) -> str:
    """Write a duration in seconds with the unit that suits it."""
    if 0 < value < 1:
        return f"{number(1000 * value)} ms"
    for length, part, unit in ((86_400, 3600, "d"), (3600, 60, "h"), (60, 1, "min")):
        if value >= length:
            whole, rest = divmod(round(value / part), length // part)
            return f"{whole}:{rest:02d} {unit}" if rest else f"{whole} {unit}"
    return f"{value:.3g} s"


def draw(chart: Chart) -> str:
    """Return the HTML of a chart: title, legend, picture, note."""
    lines = [line for line in chart.lines if line.points]
    legend = "".join(
        f'<span><i class="c{line.color}{" dash" if line.dashed else ""}"></i>{escape(line.name)}</span>'
        for line in lines
    )
    scale = _scale(chart, lines)
    marks = [mark for mark in chart.marks if scale is not None and scale.x_low <= mark.x <= scale.x_high]
    kinds = dict.fromkeys(mark.kind for mark in marks)
    legend += "".join(f'<span><i class="mark {kind}"></i>{kind}</span>' for kind in kinds)
    body = (
        '<p class="none">nothing to show yet</p>' if scale is None else _picture(chart, lines, marks, scale)
    )
    return (
        f"<figure><figcaption>{escape(chart.title)}</figcaption>"
        f'<div class="legend">{legend}</div>{body}<p class="note">{escape(chart.note)}</p></figure>'
    )


class _Scale(NamedTuple):
    """Converts values to pixels."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    log: bool

    def x(self, value: float) -> float:
        return LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the pixel of a value; on a logarithmic axis, of its logarithm."""
        return (
            HEIGHT - BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - MARGIN - BOTTOM)
        )


def _drawable(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _height(value: float, log: bool) -> float:
    return math.log10(value) if log else float(value)


def _scale(chart: Chart, lines: list[ChartLine]) -> _Scale | None:
    """Return the scale that shows all points, with some room above and below; None without any point."""
    points = [(x, _height(y, chart.log)) for line in lines for x, y in line.points if _drawable(y, chart.log)]
    if not points:
        return None
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_low, y_high = min(y for _, y in points), max(y for _, y in points)
    if chart.from_zero and not chart.log:
        y_low = min(0.0, y_low)
    spare = (y_high - y_low) * 0.06 or abs(y_high) * 0.1 or 1.0
    low = y_low if chart.from_zero and y_low == 0 else y_low - spare
    return _Scale(x_low, max(x_high, x_low + 1e-9), low, y_high + spare, chart.log)


def _picture(chart: Chart, lines: list[ChartLine], marks: list[ChartMark], scale: _Scale) -> str:
    parts = [*_axes(chart, scale)]
    parts += [
        f'<line class="mark {mark.kind}" x1="{scale.x(mark.x):.1f}" x2="{scale.x(mark.x):.1f}" y1="{MARGIN}" '
        f'y2="{HEIGHT - BOTTOM}"><title>{escape(mark.text)}</title></line>'
        for mark in marks
    ]
    for line in lines:
        parts += _pieces(line, scale)
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(chart.title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _axes(chart: Chart, scale: _Scale) -> Iterator[str]:
    """Yield the lines and labels of the upright axis, then the labels of the other one."""
    low, high = scale.y_low, scale.y_high
    for tick in log_ticks(low, high) if chart.log else ticks(low, high):
        y = scale.y(tick)
        label = chart.y(10**tick if chart.log else tick)
        yield (
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
        )
    low, high = scale.x_low, scale.x_high
    for tick in time_ticks(low, high) if chart.x is seconds else ticks(low, high, 6):
        x = scale.x(tick)
        where = "end" if x > WIDTH - RIGHT - 14 else "middle"
        yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 7}" text-anchor="{where}">{chart.x(tick)}</text>'


def _pieces(line: ChartLine, scale: _Scale) -> Iterator[str]:
    """Yield a line in pieces, interrupted where its value is unknown."""
    drawn: list[tuple[float, float]] = []
    for x, y in [*line.points, (0.0, math.nan)]:
        if _drawable(y, scale.log):
            drawn.append((scale.x(x), scale.y(_height(y, scale.log))))
        elif drawn:
            yield _line(line, drawn)
            drawn = []


def _line(line: ChartLine, drawn: list[tuple[float, float]]) -> str:
    style = f'class="line c{line.color}{" dash" if line.dashed else ""}"'
    title = f"<title>{escape(line.name)}</title>"
    if len(drawn) == 1:
        return f'<circle {style} cx="{drawn[0][0]:.1f}" cy="{drawn[0][1]:.1f}" r="2.5">{title}</circle>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    return f'<polyline {style} points="{path}">{title}</polyline>'


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within [low, high], 1, 2 or 5 times a power of ten apart; about `about` of them."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


TIME_STEPS = [n * unit for unit in (1, 60) for n in (1, 2, 5, 10, 20, 30)] + [
    3600 * n for n in (1, 2, 4, 6, 12, 24)
]


def time_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return `ticks` of seconds, apart by whole seconds, minutes, hours or days."""
    raw = (high - low) / about
    step = next((s for s in TIME_STEPS if s >= raw), 86_400 * math.ceil(raw / 86_400))
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> Iterator[float]:
    """Yield the logarithms of 1, 2, 5 times powers of ten within [low, high]; of the powers alone if there are many."""
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    for power in range(math.floor(low), math.ceil(high) + 1):
        for step in steps:
            if low <= (value := power + math.log10(step)) <= high:
                yield value
