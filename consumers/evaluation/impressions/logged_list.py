"""Read impressions from JSON lines. A line that cannot be right stops the command, with its number and the reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.errors import Stop
from consumers.evaluation.impressions.line_format import ImpressionLine
from models.exposure.plackett_luce import Pool, place_probabilities, pool_of, shown_of

Floats = NDArray[np.float64]

SUM_ERROR, P_ERROR = 0.01, 0.01
"""How far the sum of a place's probabilities may be from 1, and a published `p` from that of the pool, as shares."""
P_ROUNDED = 1e-4
"""How far `p` may be off besides, because it was rounded."""


class BadLineError(Exception):
    """This line is no impression that can be used. The message names the field and what is allowed."""


class LoggedList(NamedTuple):
    """A checked impression of k places with n candidates.

    order: (k,) the shown candidates. ranks: (k,) their ranks, from 0. rows: (k,) their numbers in the line. clicks:
    (k,). scores: (n,). new: (n,). chances: (n, k) of each candidate at each shown place, where the log tells them; else
    the list was drawn from `pool` with `share`. line: what the file says.
    """

    user: str
    domain: str
    order: NDArray[np.int64]
    ranks: NDArray[np.int64]
    rows: NDArray[np.int64]
    clicks: NDArray[np.bool_]
    scores: Floats | None
    new: NDArray[np.bool_]
    pool: Pool | None
    share: float
    chances: Floats | None
    line: ImpressionLine

    def first(self, top: int) -> LoggedList:
        """Return the list without the places from rank `top` on."""
        kept = self.ranks < top
        if kept.all():
            return self
        parts = (self.order[kept], self.ranks[kept], self.rows[kept], self.clicks[kept])
        order, ranks, rows, clicks = parts
        chances = None if self.chances is None else self.chances[:, kept]
        return self._replace(order=order, ranks=ranks, rows=rows, clicks=clicks, chances=chances)


TOLD_EVERY = 1000
"""Lines between two reports of progress."""


def read_lists(
    path: Path, tell: Callable[[int], object] = lambda _: None
) -> Iterator[tuple[int, LoggedList]]:
    """Yield the number of each line, from 1, and its impression. Raises Stop at a line that is none.

    tell: called from time to time with the number of lines.
    """
    decoder = msgspec.json.Decoder(ImpressionLine)
    try:
        with _opened(path) as lines:
            for number, text in enumerate(lines, 1):
                if not text.strip():
                    continue
                if number % TOLD_EVERY == 0:
                    tell(number)
                try:
                    yield number, checked(decoder.decode(text))
                except (msgspec.DecodeError, UnicodeDecodeError, BadLineError) as error:
                    raise Stop(f"--impressions {path}, line {number}: {error}") from error
    except (OSError, EOFError) as error:
        raise Stop(f"--impressions {path}: {getattr(error, 'strerror', None) or error}") from error


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise Stop(f"--impressions {path}: there is no such file (it is read twice, so a pipe will not do)")
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def checked(line: ImpressionLine) -> LoggedList:
    """Return the impression of a line. Raises BadLineError."""
    pool = line.pool
    at = _numbers(pool.items, "pool.items")
    order = _found(line.items, at, "items", "pool.items")
    _numbers(line.items, "items")
    new = np.zeros(len(at), np.bool_)
    new[_found(pool.new, at, "pool.new", "pool.items")] = True
    scores = None if pool.scores is None else as_scores(pool.scores, "pool.scores", len(at))
    ranks = _ranks(line)
    found = LoggedList(
        line.user_id, line.domain, order, ranks, np.arange(len(order)), _clicks(line, ranks), scores, new,
        None, pool.share, None, line,
    )  # fmt: skip
    if pool.probabilities is not None:
        if pool.temperature is not None:
            raise BadLineError("pool.probabilities and pool.temperature: give one, how the list was drawn")
        chances = as_chances(pool.probabilities, "pool.probabilities", len(order), len(at))
        found = found._replace(chances=chances)
        _need_chances(line, chances[order, np.arange(len(order))])
        return found
    if scores is None or pool.temperature is None:
        raise BadLineError("pool needs scores and temperature, or probabilities: how was the list drawn?")
    if line.places is not None:
        raise BadLineError(
            "places goes with pool.probabilities: a list that was drawn by scores begins at place 1"
        )
    found = found._replace(pool=pool_of(scores, new, pool.temperature))
    _check_drawn(line, found)
    return found


def as_scores(values: Sequence[float], name: str, candidates: int) -> Floats:
    """Return scores, (candidates,). Raises BadLineError."""
    if len(values) != candidates:
        raise BadLineError(f"{name} has {len(values)} numbers for {candidates} candidates")
    return np.array(values, np.float64)


def as_chances(rows: Sequence[Sequence[float]], name: str, places: int, candidates: int) -> Floats:
    """Return chances, (candidates, places). Raises BadLineError."""
    if len(rows) != places:
        raise BadLineError(f"{name} has {len(rows)} rows for {places} shown places")
    for number, row in enumerate(rows):
        if len(row) != candidates:
            raise BadLineError(f"{name}[{number}] has {len(row)} numbers for {candidates} candidates")
        if abs(sum(row) - 1) > SUM_ERROR:
            raise BadLineError(f"{name}[{number}] adds up to {sum(row):.4g}, not to 1")
    return np.array(rows, np.float64).T


def _numbers(ids: Sequence[str], name: str) -> dict[str, int]:
    """Return the number of each id. Raises BadLineError if one comes twice."""
    found = {one: number for number, one in enumerate(ids)}
    if len(found) < len(ids):
        twice = next(one for number, one in enumerate(ids) if found[one] != number)
        raise BadLineError(f"{name} holds {_quoted(twice)} twice")
    return found


def _found(ids: Sequence[str], at: dict[str, int], name: str, where: str) -> NDArray[np.int64]:
    if missing := [one for one in ids if one not in at]:
        raise BadLineError(f"{name}: {_quoted(missing[0])} is not in {where}")
    return np.array([at[one] for one in ids], np.int64)


def _quoted(text: str) -> str:
    return json.dumps(text)[:80]


def _ranks(line: ImpressionLine) -> NDArray[np.int64]:
    if line.places is None:
        return np.arange(len(line.items))
    if len(line.places) != len(line.items):
        raise BadLineError(f"places has {len(line.places)} numbers for {len(line.items)} items")
    if len(set(line.places)) < len(line.places):
        raise BadLineError("places holds a place twice")
    return np.array(line.places, np.int64) - 1


def _clicks(line: ImpressionLine, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which places were clicked. A second click on an item counts as none."""
    out = np.zeros(len(ranks), np.bool_)
    for clicked in line.clicks:
        here = [n for n, one in enumerate(line.items) if one == clicked or ranks[n] + 1 == clicked]
        if not here:
            what = _quoted(clicked) if isinstance(clicked, str) else f"place {clicked}"
            raise BadLineError(f"clicks: {what} was not shown")
        out[here] = True
    return out


def _need_chances(line: ImpressionLine, chances: Floats) -> None:
    if (chances <= 0).any():
        item = line.items[int(np.argmin(chances))]
        raise BadLineError(f"{_quoted(item)} was shown with probability 0")
    if line.p is not None:
        raise BadLineError("p goes with pool.scores: pool.probabilities tell the same")


def _check_drawn(line: ImpressionLine, found: LoggedList) -> None:
    """Compare what was shown with what the pool says of it. Raises BadLineError."""
    if found.pool is None:
        return
    shown = shown_of(found.pool, found.order)
    if (shown.weights <= 0).any():
        item = line.items[int(np.argmin(shown.weights))]
        raise BadLineError(f"{_quoted(item)} cannot have been drawn: its score is too far below the best")
    if line.p is None:
        return
    if len(line.p) < len(line.items):
        raise BadLineError(f"p has {len(line.p)} numbers for {len(line.items)} items")
    chances = place_probabilities(shown, found.share)
    wrong = np.abs(line.p[: len(chances)] - chances) > P_ERROR * chances + P_ROUNDED
    if wrong.any():
        place = int(np.argmax(wrong))
        raise BadLineError(
            f"p[{place}] is {line.p[place]:.4g}, but the pool gives {_quoted(line.items[place])} {chances[place]:.4g}: "
            "are the items the first of the drawn list, in its order, and are scores, temperature, share and new right?"
        )
