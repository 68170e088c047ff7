"""Learn each user's taste: a Kalman filter for each user, over bias, mood, and weights on the item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.rating.taste_steps import (
    LEADING,
    MOST,
    WHOLE,
    TasteArrays,
    leave_steps,
    pack_steps,
    prior_variance,
)
from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import flat_places
from models.state.given_state import taken
from models.state.tracked_tables import CheckpointedRows, Ragged, Rows
from models.tables.catalogue import grown
from models.tables.flat_blocks import (
    leave_block,
    more_room,
    size_for,
    sizes_up_to,
    with_blocks,
    with_places,
    with_rows,
)

Index = NDArray[np.int64]
STEPS = ("gain", "fade", "move")
"""Tables with an entry a step."""


class UserTaste(CheckpointedRows):
    """Users' tastes, shared by all domains: residual ≈ θ_u · φ with φ = [1, 1, popularity, crowd, x]. θ_u holds

    - the user's bias,
    - the mood: what the ratings of one visit have in common, an Ornstein-Uhlenbeck process that fades as
      exp(-Δt / MOOD_SECONDS) while its variance returns to 1 / MOOD_STRENGTH,
    - how much more than others the user likes popular items, and agrees with the mean rating of items,
    - the weights on the item vector x.

    With P the covariance of θ_u (noise variance 1):   S = 1 + φ·Pφ + (other parts' variance),
    θ_u += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S. This is recursive least squares, exact if all other parts are known.
    Sources: Kalman (1960); Sun, Varshney and Subbian (2012), "Dynamic matrix factorization".

    Memory with 20 weights: 13 bytes a user, 28 a rating for the first 32, and 920 for a user of more.
    """

    def __init__(self, width: int, gains: type[np.signedinteger[Any]] = np.int8) -> None:
        """Begin without users. width: k, weights on the item vector. gains: type of the entries of a step."""
        self._gains = gains
        self.size = LEADING + width
        """m"""
        self.written = DirtyKeys()
        """Dirty user rows."""
        self._clear()

    def _clear(self) -> None:
        size, kinds = self.size, len(sizes_up_to(MOST)) + 1
        prior, largest = np.array([prior_variance(n) for n in range(size)]), int(np.iinfo(self._gains).max)
        self.arrays = TasteArrays(
            time=np.zeros(0, np.float64),
            steps=np.zeros(0, np.int8),
            begin=np.zeros(0, np.int32),
            gain=np.zeros((0, size), self._gains),
            fade=np.zeros(0, np.float32),
            move=np.zeros(0, np.float32),
            whole=np.zeros((0, size + size * (size + 1) // 2), np.float32),
            sizes=sizes_up_to(MOST),
            left=np.zeros((kinds, 8), np.int32),
            left_n=np.zeros(kinds, np.int64),
            end=np.zeros(2, np.int64),
            prior=prior,
            unit=np.sqrt(prior) / largest,
            largest=largest,
        )

    def reserve(self, rows: int) -> None:
        """Make room for this many users."""
        if rows > len(self.arrays.time):
            self.arrays = with_rows(self.arrays, rows, ("time", "steps", "begin"))

    def make_room(self, users: Index) -> None:
        """Make room for one more rating of each of these users. users: (n,) rows; one may be there more than once."""
        self.reserve(int(users.max()) + 1)
        places, blocks, full = more_room(self.arrays.sizes, users, self.arrays.steps[users])
        if not blocks and not full:
            return
        self.arrays = with_places(self.arrays, STEPS, places, blocks + full, self._packed)
        if full:
            whole = grown(self.arrays.whole, int(self.arrays.end[1]) + full, least=1)  # 920 bytes each
            self.arrays = self.arrays._replace(whole=whole)

    def pack(self) -> None:
        """Put all steps next to each other, and leave nothing between them."""
        self.arrays = self._packed()

    def _packed(self) -> TasteArrays:
        held, sizes = self.arrays, len(self.arrays.sizes)
        used = int(held.end[0] - (held.sizes * held.left_n[:sizes]).sum())
        left_n = np.where(np.arange(sizes + 1) < sizes, 0, held.left_n)
        tables = {name: getattr(held, name) for name in STEPS}
        fresh: Any = {name: np.zeros((used, *table.shape[1:]), table.dtype) for name, table in tables.items()}
        packed = held._replace(
            begin=held.begin.copy(), left_n=left_n, end=np.array([0, held.end[1]], np.int64), **fresh
        )
        pack_steps(held, packed)
        return packed

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) to `now`."""
        wrong = np.flatnonzero(self.arrays.time > now)
        self.arrays.time[wrong] = now
        self.written.update(wrong.tolist())

    def drop_user(self, user: int) -> None:
        """Empty a user's row."""
        if user >= len(self.arrays.time):
            return
        if steps := int(self.arrays.steps[user]):
            self.arrays = with_blocks(self.arrays, 1)
            held, begin = self.arrays, int(self.arrays.begin[user])
            if steps == WHOLE:
                held.whole[begin] = 0
                leave_block(held.left, held.left_n, len(held.sizes), begin)
            else:
                leave_steps(held, size_for(held.sizes, steps), begin)
        for table in (self.arrays.time, self.arrays.steps, self.arrays.begin):
            table[user] = 0

    # State

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "time": Rows(self.written, self.arrays.time),
            "steps": Ragged(
                self.written,
                lambda: np.flatnonzero(self.arrays.steps),
                self._step_columns,
                self._step_size,
            ),
            "whole": Ragged(
                self.written,
                lambda: np.flatnonzero(self.arrays.steps == WHOLE),
                self._whole_columns,
                self._whole_size,
            ),
        }

    def _step_size(self) -> int:
        return int(self.arrays.end[0]) * (self.arrays.gain.itemsize * self.size + 8)

    def _whole_size(self) -> int:
        whole = self.arrays.whole
        return int(self.arrays.end[1] * whole.itemsize * whole.shape[1])

    def _step_columns(self, users: Index) -> dict[str, NDArray[Any]]:
        held, users = self.arrays, users[users < len(self.arrays.steps)]
        users = users[(held.steps[users] > 0) & (held.steps[users] != WHOLE)]
        lengths = held.steps[users].astype(np.int64)
        at = flat_places(held.begin[users].astype(np.int64), lengths)
        return {"users": users, "lengths": lengths, **{name: getattr(held, name)[at] for name in STEPS}}

    def _whole_columns(self, users: Index) -> dict[str, NDArray[Any]]:
        held, users = self.arrays, users[users < len(self.arrays.steps)]
        users = users[held.steps[users] == WHOLE]
        return {
            "users": users,
            "lengths": np.ones(len(users), np.int64),
            "values": held.whole[held.begin[users]],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace every row. Early states hold a covariance of every user, (users, m, m) or its triangle."""
        self._clear()
        rows = len(state["time"])
        self.arrays = self.arrays._replace(
            time=taken(state["time"]), steps=np.zeros(rows, np.int8), begin=np.zeros(rows, np.int32)
        )
        if "covariance" in state:
            self._load_covariances(state)
            return
        steps, whole = state["steps"], state["whole"]
        sizes = self.arrays.sizes[np.searchsorted(self.arrays.sizes, steps["lengths"])]
        begins = np.cumsum(sizes) - sizes
        held, at = self.arrays, flat_places(begins, steps["lengths"])
        held.begin[steps["users"]], held.steps[steps["users"]] = begins, steps["lengths"]
        self.arrays = with_rows(self.arrays, int(sizes.sum()), STEPS)
        steps = steps | {"gain": self._rounded(steps["gain"])}
        for name in STEPS:
            getattr(self.arrays, name)[at] = steps[name]
        held.end[0] = sizes.sum()
        self._load_whole(whole["users"], whole["values"])

    def _rounded(self, gain: NDArray[Any]) -> NDArray[Any]:
        """Return the entries of steps in the type that this table keeps: an early state has more digits."""
        if gain.dtype == self._gains:
            return gain
        return np.rint(gain * (np.iinfo(self._gains).max / np.iinfo(gain.dtype).max)).astype(self._gains)

    def _load_whole(self, users: Index, values: NDArray[np.float32]) -> None:
        held = self.arrays
        held.begin[users], held.steps[users], held.end[1] = np.arange(len(users)), WHOLE, len(users)
        self.arrays = held._replace(whole=taken(values))

    def _load_covariances(self, state: dict[str, Any]) -> None:
        users, triangle = np.flatnonzero(state["known"]), state["covariance"]
        if triangle.ndim > 2:
            triangle = triangle[:, *np.tril_indices(triangle.shape[1])]
        self._load_whole(users, np.concatenate([state["mean"][users], triangle[users]], 1))
