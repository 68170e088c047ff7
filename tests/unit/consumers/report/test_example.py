"""One user's lists on the page, and the figures that people see."""

from __future__ import annotations

import re
from html import unescape

import pytest

from consumers.report.example import Example, Suggested, listed, section
from consumers.report.figures import LATEST, figure, gain
from consumers.report.page import Extra, page
from models.assessment.prequential import NDCG_LOSS, RMSE
from tests.support.service.report_pages import SETTINGS, Made

EXAMPLE = Example(
    "u<1>", "rated", "movies", ["A & B", "C"], "games", 0,
    [Suggested("D", "has a text like “C” (movies)"), Suggested("<E>", "")], ["F", "G"], True,
)  # fmt: skip


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_both_lists_with_the_reasons() -> None:
    """What they did, what is recommended and why, what it would be without; what comes from outside is text."""
    html = section(EXAMPLE)
    assert "<E>" not in html
    said = words(html)
    assert "u&lt;1&gt; rated “A &amp; B” and “C” in movies (nothing yet in games)" in said
    assert (
        "games now recommended D because it has a text like “C” (movies) &lt;E&gt; without transfer F G"
        in said
    )
    assert "(1 event in games)" in EXAMPLE._replace(before=1).past()
    assert EXAMPLE._replace(followed=False).heading() == "games with transfer"
    assert listed(["A"]) == "“A”"


def test_the_page_has_it_and_loads_itself_again_until_the_end() -> None:
    """Live while the service runs; the last page stays as it is."""
    made = Made()
    made.pass_by(60)
    live = page("Crosscurrent", "now", SETTINGS, made.recorder, Extra(example=EXAMPLE), again=15)
    assert "One user" in live
    assert 'http-equiv="refresh" content="15"' in live
    assert "refresh" not in page("Crosscurrent", "now", SETTINGS, made.recorder)


def test_the_page_names_which_errors_it_shows() -> None:
    """Fading means are of the latest events: in the headlines, in words, over the charts and above the table."""
    made = Made()
    made.pass_by(400)
    text = unescape(words(page("Crosscurrent", "now", SETTINGS, made.recorder)))
    assert f"games: RMSE better by transfer, {LATEST}" in text
    assert f"Over the {LATEST}, its RMSE is" in text
    assert f"games: ranking (NDCG@10), {LATEST}" in text
    assert f"Of the {LATEST}: an event's weight halves every 1,000 events" in text


@pytest.mark.parametrize(
    ("metric", "full", "alone", "said"),
    [(RMSE, 0.9, 1.0, "+10.0 %"), (NDCG_LOSS, 0.85, 0.9, "+50.0 %"), (RMSE, 1.1, 1.0, "-10.0 %"), (RMSE, None, 1.0, ""),
     (NDCG_LOSS, 0.9, 1.0, "")],
)  # fmt: skip
def test_gain_is_of_the_figure_that_is_shown(
    metric: str, full: float | None, alone: float | None, said: str
) -> None:
    """RMSE falls, NDCG@10 rises; nothing is said where there is nothing to compare with."""
    assert gain(metric, full, alone) == said
    assert figure(NDCG_LOSS, 0.85) == "0.150"
    assert figure(RMSE, None) == ""
