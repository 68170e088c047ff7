"""The live view of several processes fits the terminal, and shows what each of them told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from consumers.demo.shards.member import CATCHING_UP, KILLED, READY
from consumers.demo.shards.readings import Reading
from consumers.demo.shards.view import RATE_SECONDS, Rates, Row, ShardsView
from tests.support.clock import Clock

READINGS = (
    Reading(at=1.0, cpu_seconds=10.0),
    Reading(at=3.0, folded=10_812_345, lag=1_234_567, facts_lag=12_345, cpu_seconds=11.0, memory=523e6),
)
ROWS = [
    Row("shard 0", READY, 3_612_345, READINGS),
    Row("shard 1", KILLED, 3_512_345),
    Row("shard 2", CATCHING_UP, 12, READINGS),
    *(Row(f"shard {n}", READY, 3_612_345, READINGS) for n in range(3, 8)),
    Row("network", READY, 14_424_690, READINGS, trains=True),
]


def drawn(width: int, height: int, story: int) -> list[str]:
    """Return the lines of the view of nine processes with so many lines of story."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height)
    view = ShardsView(console, Clock())
    for n in range(story):
        view.tell(f"line {n} of the story")
    out.truncate(out.seek(0))
    view.note = "the 48 users of shard 1 keep their last lists"
    view.refresh(ROWS)
    console.print(view.shown())
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height", "told"), [(80, 24, 7), (80, 18, 1), (80, 15, 0), (200, 50, 12)])
def test_it_fits(width: int, height: int, told: int) -> None:
    """Every figure of every process is whole; of the story the latest lines have what room is left."""
    lines = drawn(width, height, story=12)
    assert max(map(len, lines)) <= width
    assert len(lines) < height + (height < 16)
    text = "\n".join(lines)
    assert "…" not in text
    for figure in ("3,612,345", "10,812,345", "1,234,567", "12,345", "50 %", "523", "14,424,690"):
        assert figure in text
    shown = [line for line in lines if "of the story" in line]
    assert len(shown) == told
    assert not shown or "line 11 " in shown[-1]
    assert "keep their last lists" in text


def test_a_process_that_does_not_run_tells_nothing() -> None:
    """What the store has of its users stays."""
    (killed,) = [line for line in drawn(80, 24, 0) if "shard 1" in line and "killed" in line]
    assert killed.split() == ["shard", "1", "killed", "3,512,345", "0"]
    (trains,) = [line for line in drawn(80, 24, 0) if "network" in line]
    assert "10,812,345" not in trains, "it has no events of its own, and no others either"


def test_events_a_second_are_those_of_the_last_seconds() -> None:
    """A count that falls, because a crashed shard learns again, is no rate."""
    clock = Clock()
    rates = Rates(clock)
    assert rates.of("shard 0") == 0.0
    for learned in (0, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500):
        rates.note({"shard 0": learned, "shard 1": -learned})
        clock.now += 1.0
    assert rates.of("shard 0") == pytest.approx(100.0)
    assert rates.of("shard 1") == 0.0
    assert rates.of("no shard") == 0.0
    assert RATE_SECONDS < 6


def test_without_a_terminal_there_are_lines() -> None:
    """The story at once, the processes every few seconds, each in one line."""
    out, clock = io.StringIO(), Clock()
    view = ShardsView(Console(file=out, width=140), clock)
    with view:
        view.refresh(ROWS)
        view.tell("shard 1 is killed (kill -9)")
        clock.now += 6.0
        view.refresh(ROWS)
        view.refresh(ROWS)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0] == "   0 s  shard 1 is killed (kill -9)"
    assert lines[1].startswith("6 s  25,186,427 learned by 8 shards")
    assert "shard 1 killed 3,512,345" in lines[1]
