"""The report page: what it shows is what the metrics held, and it needs nothing but itself."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from consumers.errors import Stop
from consumers.report.metric_history import MAX_SAMPLES
from consumers.report.page import page
from consumers.report.svg_chart import Chart, ChartLine, ChartMark, draw, number, seconds, ticks, time_ticks
from consumers.report.writer import Writer
from models.adaptation.adaptation_loop import Notice
from tests.support.service.report_pages import SETTINGS, Made


def test_rates_and_quantiles_are_those_of_the_metrics() -> None:
    """60 events in 2 s are a rate of 30; the median of observations in one bucket is its middle."""
    made = Made()
    made.recorder.tick(now=True)
    made.metrics.events.labels("movies", "rating").inc(60)
    for _ in range(10):
        made.metrics.canary_seconds.observe(0.3)  # bucket 0.25 to 0.5
    made.now = 2.0
    made.recorder.tick()
    assert made.recorder.rate("events_total", "movies") == [(2.0, 30.0)]
    assert made.recorder.quantile(0.5, "canary_seconds") == [(2.0, pytest.approx(0.375))]
    assert made.recorder.overall_quantile(0.5, "canary_seconds") == pytest.approx(0.375)
    assert made.recorder.quantile(0.5, "freshness_seconds") == []


def test_memory_is_bounded_and_the_first_sample_stays() -> None:
    """A long run has at most `MAX_SAMPLES` samples over the whole time, and exact counts."""
    made = Made()
    for _ in range(5 * MAX_SAMPLES):
        made.now += 2.0
        made.metrics.events.labels("movies", "click").inc()
        made.recorder.tick()
    assert MAX_SAMPLES / 2 <= len(made.recorder.samples) <= MAX_SAMPLES
    assert made.recorder.samples[0].seconds == 2.0
    assert made.recorder.samples[-1].seconds > made.now - 40
    rates = made.recorder.rate("events_total", "movies")
    assert all(rate == pytest.approx(0.5) for _, rate in rates)


def test_the_story_is_told_once_with_its_time() -> None:
    """Notices come in order, each once, also if the service's own list has dropped some."""
    made = Made()
    for n in range(250):
        made.story.append((n, Notice("games", "bias", score=float(n))))
        if n % 50 == 49:
            made.now += 2.0
            made.recorder.tick()
    assert [told.events for told in made.recorder.told] == list(range(250))
    assert made.recorder.told[0].seconds == 2.0


def test_the_page_says_what_happened() -> None:
    """The page has figures with and without transfer, and the drift with its verdicts, in words and in a table."""
    made = Made()
    made.pass_by(400)
    text = page("Crosscurrent", "now", SETTINGS, made.recorder)
    words = re.sub(r"<[^>]+>", " ", text)
    full = made.recorder.latest("prequential_error", "games", "rmse", "full")
    alone = made.recorder.latest("prequential_error", "games", "rmse", "target_only")
    assert full is not None
    assert alone is not None
    assert f"{full:.3f} with transfer and {alone:.3f} without" in words
    assert f"{100 * (1 - full / alone):+.1f} %" in words
    assert "1 drift was seen; 1 answer was tried beside the champion: 1 promoted, 1 dropped." in words
    assert "raise_rate promoted after 80 events" in words
    assert "movies (source): 12,000 events learned." in words


def test_the_page_needs_nothing_else() -> None:
    """The page has no script and loads nothing; its pictures are well-formed and small."""
    made = Made()
    made.pass_by(4000)
    text = page("Crosscurrent", "now", SETTINGS, made.recorder)
    assert not re.search(r"https?:|<script|@import|url\(", text)
    assert len(text) < 1_000_000
    for picture in re.findall(r"<svg.*?</svg>", text):
        assert "nan" not in picture
        assert len(ET.fromstring(picture)) > 5


def test_a_page_before_the_first_event() -> None:
    """A page before the first event says that nothing was measured."""
    made = Made()
    made.recorder.tick()
    text = page("Crosscurrent", "now", SETTINGS, made.recorder)
    assert "nothing to show yet" in text
    assert "No drift was seen" in text


def test_names_are_escaped() -> None:
    """Names from outside are shown as text, not markup."""
    lines = [ChartLine("<b>", [(0, 1.0), (1, 2.0)], 0)]
    text = draw(Chart("a & b", "<i>", lines, number, seconds, [ChartMark(0.5, '"<x>"', "drift")]))
    assert "<b>" not in text
    assert "<i>" not in text
    assert "<x>" not in text
    assert "a &amp; b" in text


def test_points_are_where_the_axes_say() -> None:
    """The highest value is at the top and time goes to the right; flat lines and single points are drawn too."""
    text = draw(Chart("", "", [ChartLine("a", [(0, 1.0), (10, 3.0), (20, 2.0)], 0)], number, seconds))
    points = re.search(r'points="([^"]+)"', text)
    assert points is not None
    (x1, y1), (x2, y2), (x3, y3) = (tuple(map(float, p.split(","))) for p in points[1].split())
    assert x1 < x2 < x3
    assert y2 < y3 < y1  # y grows downwards in SVG
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.11)
    assert "polyline" in draw(Chart("", "", [ChartLine("a", [(0, 1.0), (1, 1.0)], 0)], number, seconds))
    assert "circle" in draw(Chart("", "", [ChartLine("a", [(0, 1.0)], 0)], number, seconds, log=True))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.81, 0.99, [0.85, 0.9, 0.95]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    """Ticks have steps of 1, 2 or 5 times a power of ten, within the limits."""
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.04, "40 ms"),
        (2.5, "2.5 s"),
        (60, "1 min"),
        (80, "1:20 min"),
        (5400, "1:30 h"),
        (86_400, "1 d"),
    ],
)
def test_seconds_in_words(value: float, text: str) -> None:
    """Durations are shown from milliseconds to days, with the rest in the next smaller unit."""
    assert seconds(value) == text


def test_ticks_of_time_are_whole_units() -> None:
    """400 s have ticks every 2 minutes, not every 100 s; five days have ticks every day."""
    assert time_ticks(0, 400) == [0, 120, 240, 360]
    assert time_ticks(10, 70) == [10, 20, 30, 40, 50, 60, 70]
    assert time_ticks(0, 5 * 86_400) == [n * 86_400 for n in range(6)]


def test_the_file_is_replaced_whole_and_a_bad_folder_is_named(tmp_path: Path) -> None:
    """The page is written on entering and at the end; if that fails, Stop names the folder."""
    made = Made()
    with Writer(tmp_path / "report", "Title", SETTINGS, made.recorder) as writer:
        first = writer.path.read_text()
        made.metrics.events.labels("movies", "rating").inc(77)
    assert "77 events learned" not in first
    assert "77 events learned" in writer.path.read_text()
    assert [path.name for path in writer.path.parent.iterdir()] == ["index.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(Stop, match="--report"):
        Writer(tmp_path / "file" / "report", "Title", SETTINGS, made.recorder).__enter__()


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    """A line with a gap is drawn as two lines."""
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 2.0), (4.0, 1.0)]
    assert draw(Chart("errors", "", [ChartLine("on", points, 1)], number, seconds)).count("<polyline") == 2
