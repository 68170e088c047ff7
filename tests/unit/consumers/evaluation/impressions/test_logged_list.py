"""Lines of a file of impressions: what they mean, and what is said of one that cannot be right."""

from __future__ import annotations

import gzip
import json
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.errors import USAGE, Stop
from consumers.evaluation.impressions.line_format import ImpressionLine, LoggedPool
from consumers.evaluation.impressions.logged_list import read_lists
from tests.support.impression_lines import LINE, PLACE, changed, write_lines

W = exp(-1)
P = [0.8 / (1 + 2 * W), 0.8 * W / (2 * W)]
"""The probabilities of LINE's places: 0.8 of the softmax, as neither item is new."""


def refused(folder: Path, *lines: dict[str, Any] | str) -> str:
    path = write_lines(folder / "shown.jsonl", lines)
    with pytest.raises(Stop) as stopped:
        list(read_lists(path))
    assert stopped.value.code == USAGE
    return str(stopped.value).removeprefix(f"--impressions {path}")


def test_a_drawn_list(tmp_path: Path) -> None:
    """Shown items are candidates 1 and 0; clicks are by id or place; blank lines count as lines only."""
    lines = [LINE, "", changed(LINE, clicks=[2, 2], p=P), changed(LINE, clicks=[])]
    path = write_lines(tmp_path / "shown.jsonl", lines)
    found = list(read_lists(path))
    assert [number for number, _ in found] == [1, 3, 4]
    (_, one), (_, two), (_, three) = found
    assert (one.user, one.domain, one.order.tolist(), one.ranks.tolist()) == (
        "alice",
        "books",
        [1, 0],
        [0, 1],
    )
    assert [logged.clicks.tolist() for logged in (one, two, three)] == [
        [False, True],
        [False, True],
        [False] * 2,
    ]
    assert one.pool is not None
    assert one.pool.weights == pytest.approx([W, 1.0, W])
    assert one.new.tolist() == [False, False, True]
    assert one.first(1).order.tolist() == [1]
    assert one.first(2) is one


def test_the_line_of_the_documentation(tmp_path: Path) -> None:
    """It is read, its `p` is right, and each field of the format is in the table there."""
    page = (Path("deploy/docs") / "data-scientists.md").read_text()
    text = page.split('```json\n{"user_id"')[1].split("```")[0].replace("\n", " ")
    ((_, logged),) = read_lists(write_lines(tmp_path / "shown.jsonl", [f'{{"user_id"{text}']))
    assert logged.line.p == pytest.approx(P, rel=1e-3)
    fields = [f"`{name}`" for name in ImpressionLine.__struct_fields__ if name != "pool"]
    fields += [f"`pool.{name}`" for name in LoggedPool.__struct_fields__]
    assert [name for name in fields if name not in page] == []


def test_places_with_known_probabilities(tmp_path: Path) -> None:
    ((_, one),) = read_lists(write_lines(tmp_path / "shown.jsonl", [PLACE]))
    assert one.chances is not None
    assert one.chances.tolist() == [[0.8], [0.2]]
    assert one.ranks.tolist() == [2]
    assert len(one.first(2).ranks) == 0
    np.testing.assert_array_equal(one.first(3).chances, one.chances)


def test_a_packed_file(tmp_path: Path) -> None:
    path = tmp_path / "shown.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(LINE).encode()))
    assert len(list(read_lists(path))) == 1
    path.write_bytes(gzip.compress(json.dumps(LINE).encode())[:-9])
    with pytest.raises(Stop, match=r"shown\.jsonl\.gz: Compressed file ended"):
        list(read_lists(path))


BAD: list[tuple[dict[str, Any] | str, str]] = [
    ('{"user_id": ', "Input data was truncated"),
    (changed(LINE, clicks=None), "Object missing required field `clicks`"),
    (changed(LINE, user_id=7), "Expected `str`, got `int` - at `$.user_id`"),
    (changed(LINE, click=["emma"]), "Object contains unknown field `click`"),
    (changed(LINE, items=[]), "Expected `array` of length >= 1 - at `$.items`"),
    (changed(LINE, items=["dune", "dune"]), 'items holds "dune" twice'),
    (changed(LINE, {"items": ["dune", "emma", "emma"]}), 'pool.items holds "emma" twice'),
    (changed(LINE, items=["dune", "ulysses"]), 'items: "ulysses" is not in pool.items'),
    (changed(LINE, {"new": ["ulysses"]}), 'pool.new: "ulysses" is not in pool.items'),
    (changed(LINE, clicks=["solaris"]), 'clicks: "solaris" was not shown'),
    (changed(LINE, clicks=[0]), "clicks: place 0 was not shown"),
    (changed(LINE, {"scores": [1.0]}), "pool.scores has 1 numbers for 3 candidates"),
    (changed(LINE, {"temperature": 0}), "Expected `float` > 0.0 - at `$.pool.temperature`"),
    (changed(LINE, {"temperature": None}), "pool needs scores and temperature, or probabilities"),
    (changed(LINE, {"temperature": 1e-5}), '"emma" cannot have been drawn'),
    (changed(LINE, places=[1, 2]), "places goes with pool.probabilities"),
    (changed(LINE, p=[0.5]), "p has 1 numbers for 2 items"),
    (changed(LINE, p=[P[0], 0.9 * P[1]]), 'p[1] is 0.36, but the pool gives "emma" 0.4'),
    (changed(LINE, items=["emma", "dune"], p=P), "p[0] is 0.4609, but the pool gives"),
    (changed(PLACE, {"temperature": 0.1}), "pool.probabilities and pool.temperature: give one"),
    (changed(PLACE, {"probabilities": [[0.5]]}), "pool.probabilities[0] has 1 numbers for 2 candidates"),
    (changed(PLACE, {"probabilities": [[0.5, 0.4]]}), "pool.probabilities[0] adds up to 0.9, not to 1"),
    (changed(PLACE, {"probabilities": [[0.5, 0.5]] * 2}), "pool.probabilities has 2 rows for 1 shown places"),
    (changed(PLACE, {"probabilities": [[0.0, 1.0]]}), '"hat" was shown with probability 0'),
    (changed(PLACE, {"probabilities": [[1.5, -0.5]]}), "Expected `float` <= 1.0 - at `$.pool.probabilities"),
    (changed(PLACE, places=[0]), "Expected `int` >= 1 - at `$.places"),
    (changed(PLACE, places=[1, 2]), "places has 2 numbers for 1 items"),
    (changed(PLACE, p=[0.8]), "p goes with pool.scores"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_line_that_cannot_be_right_is_named_with_its_number(
    tmp_path: Path, line: dict[str, Any] | str, reason: str
) -> None:
    said = refused(tmp_path, LINE, PLACE, line)
    assert said.startswith(", line 3: ")
    assert reason in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="there is no such file"):
        list(read_lists(tmp_path / "none.jsonl"))
