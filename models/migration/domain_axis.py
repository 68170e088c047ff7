"""Move a learner's state to other domains: every table with a domain axis is made to fit.

A table has one entry a domain in a list or dict, an axis of an array, or domain numbers as values. Each table is named
below, once. A domain is known by its name. Its entries go to their new place, entries of a new domain are those of a
fresh learner, and entries of a removed domain are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.schema import Domain
from models.tables.neighbour_lists import SIZES
from models.tables.ring_tables import FIELDS, early_lists
from models.transfer.strategies import rest_events

State = dict[str, Any]
Path = tuple[str, ...]

LISTS: tuple[Path, ...] = (
    ("catalogues",),
    ("removed",),
    ("newest",),
    ("latest",),
    ("learned",),
    ("rating", "records"),
    ("rating", "bias", "item"),
    ("ranker", "choices"),
    ("ranker", "signals", "popularity"),
    ("ranker", "signals", "stage"),
    ("ranker", "signals", "visits", "slot_of"),
    ("exposure", "appeal", "tables"),
    ("network", "kappa"),
    ("network", "followed"),
    ("network", "touched"),
    ("network", "contest", "strategy"),
)
"""Tables with one entry a domain, in a list."""
KEYED: tuple[Path, ...] = (
    ("history", "born"),
    ("history", "seen"),
    ("network", "items", "row"),
    ("network", "buffer", "item_born"),
    ("network", "counts"),
    ("network", "vectors"),
    ("network", "adapter", "best"),
)
"""Tables in a dict, by the domain's number as a string."""
LAYERS = {
    "item_bias_in": 0,
    "item_bias_out": 0,
    "rating_bias_in": 0,
    "rating_bias_mid": 0,
    "rating_bias_out": 0,
    "critic_out": 1,
    "critic_out_bias": 0,
}
"""Parameters of the network, and the axis of their domains. Adam's moments have the same axis."""
AXES: dict[Path, int] = {
    ("exposure", "appeal", "strength"): 0,
    ("exposure", "clicks", "weights"): 0,
    ("exposure", "clicks", "precision"): 0,
    ("exposure", "clicks", "gains"): 0,
    ("exposure", "clicks", "impressions"): 0,
    ("exposure", "examination", "pairs"): 0,
    ("exposure", "curves"): 0,
    ("rating", "sums"): 0,
    ("rating", "counts"): 0,
    ("rating", "bias", "domain"): 0,
    ("rating", "bias", "external@domain"): 0,
    ("rating", "bias", "user@domain"): 1,
    ("history", "events"): 1,
    ("network", "adapter", "events"): 0,
    ("network", "adapter", "sharing_from"): 0,
    **{("network", "network", name): axis for name, axis in LAYERS.items()},
    **{("network", "adam", n, m): axis for n, axis in LAYERS.items() for m in ("exp_avg", "exp_avg_sq")},
}
"""Arrays and tensors, and the axis of their domains."""
NUMBERS: tuple[Path, ...] = (
    ("history", "recent", "domain"),
    ("ranker", "signals", "visits", "domain_of"),
    ("network", "buffer", "events", "domain"),
)
"""Arrays whose values are numbers of domains; -1 for none."""
RECENT: tuple[Path, ...] = (("network", "buffer", "events", "recent"), ("slow_recent",))
"""Arrays (…, 3) with domain, row and time of users' items."""


class Moves(NamedTuple):
    """How domains move. domains: the present ones. old: the names of the state, in its order."""

    domains: Sequence[Domain]
    old: list[str]

    def came_from(self) -> list[int | None]:
        """Return, for each present domain, its number in the state, None for a new domain."""
        return [self.old.index(d.name) if d.name in self.old else None for d in self.domains]

    def goes_to(self) -> NDArray[np.int64]:
        """Return, (old + 1,), the present number of each number in the state, -1 for a removed domain.

        The last entry is -1 too, so that an index of -1 stays -1.
        """
        names = [d.name for d in self.domains]
        return np.array([names.index(n) if n in names else -1 for n in self.old] + [-1], np.int64)

    def gone(self) -> list[str]:
        """Return the names of removed domains."""
        return [name for name, to in zip(self.old, self.goes_to().tolist(), strict=False) if to < 0]


def learner(state: State, fresh: State, moves: Moves) -> State:
    """Return a learner's state for the present domains. fresh: the state that a new learner begins with."""
    state, came_from, goes_to = _containers(state), moves.came_from(), moves.goes_to()
    _drop_item_rows(state["network"]["items"], moves)
    _drop_from_rings(state["history"], goes_to)
    for place, key, new in _found(state, fresh, LISTS):
        held = place[key]
        place[key] = [
            (new[n] if new else None) if old is None else held[old] for n, old in enumerate(came_from)
        ]
    for place, key, new in _found(state, fresh, KEYED):
        held = place[key]
        place[key] = {str(n): new[str(n)] if o is None else held[str(o)] for n, o in enumerate(came_from)}
    for path, axis in AXES.items():
        for place, key, new in _found(state, fresh, [path]):
            place[key] = _along(axis, place[key], new, came_from)
    for place, key, _ in _found(state, fresh, NUMBERS):
        place[key] = goes_to[place[key]].astype(place[key].dtype)
    for place, key, _ in _found(state, fresh, RECENT):
        place[key] = _of_recent(place[key], goes_to)
    # A regression on all domains, which begins anew.
    state.get("exposure", {}).get("appeal", {}).pop("text", None)
    _drop_slots(state["ranker"]["signals"]["visits"])
    _search(state["network"], fresh["network"], moves)
    _drop_names(state, moves.gone())
    waiting = [n for n, event in enumerate(state["slow"]) if goes_to[event[0]] >= 0]
    state["slow"] = [[int(goes_to[state["slow"][n][0]]), *state["slow"][n][1:]] for n in waiting]
    state["slow_recent"] = state["slow_recent"][waiting] if waiting else None
    return state | {name: fresh[name] for name in ("domains", "roles", "rating_ranges")}


def _containers(tree: Any) -> Any:
    """Copy the dicts and lists, so that they can be changed."""
    return {key: _containers(value) for key, value in tree.items()} if isinstance(tree, dict) else tree


def _found(state: State, fresh: State, paths: Iterable[Path]) -> Iterator[tuple[State, str, Any]]:
    """Yield, for each path in the state, the dict that holds it, its key there, and its value in the fresh state."""
    for *above, key in paths:
        place: Any = state
        new: Any = fresh
        for name in above:
            place = place.get(name) if isinstance(place, dict) else None
            new = new.get(name) if isinstance(new, dict) else None
        if isinstance(place, dict) and place.get(key) is not None:
            yield place, key, new.get(key) if isinstance(new, dict) else None


def _along(axis: int, held: Any, new: Any, came_from: list[int | None]) -> Any:
    """Return an array or tensor with its entries moved along the axis. New entries are those of `new`, else 0."""
    values = np.moveaxis(np.asarray(held), axis, 0)
    out = np.zeros((len(came_from), *values.shape[1:]), values.dtype)
    if new is not None and np.moveaxis(np.asarray(new), axis, 0).shape == out.shape:
        out[:] = np.moveaxis(np.asarray(new), axis, 0)
    for n, old in enumerate(came_from):
        if old is not None:
            out[n] = values[old]
    moved = np.ascontiguousarray(np.moveaxis(out, 0, axis))
    return torch.from_numpy(moved) if isinstance(held, torch.Tensor) else moved


def _of_recent(recent: NDArray[np.float64], goes_to: NDArray[np.int64]) -> NDArray[np.float64]:
    moved = recent.copy()
    moved[..., 0] = goes_to[recent[..., 0].astype(np.int64)]
    return moved


def _drop_item_rows(items: State, moves: Moves) -> None:
    """Free the network's rows of items of removed domains."""
    held = [items["row"][str(moves.old.index(name))] for name in moves.gone()]
    free = np.concatenate([row[row > 0] - 1 for row in held]) if held else np.zeros(0, np.int64)
    table = {name: values.copy() for name, values in items["table"].items()}
    for values in table.values():
        values[free] = 0
    items["table"], items["free"] = table, np.concatenate([items["free"], free])


def _drop_from_rings(history: State, goes_to: NDArray[np.int64]) -> None:
    """Remove events of removed domains from users' latest events."""
    if "recent" not in history:
        history["recent"] = early_lists(history)
        for name in FIELDS:
            history.pop(f"_{name}", None)
    recent = history["recent"]
    kept = goes_to[recent["domain"]] >= 0
    owner = np.repeat(np.arange(len(recent["users"])), recent["lengths"])
    lengths = np.bincount(owner[kept], minlength=len(recent["users"]))
    history["recent"] = {
        "users": recent["users"][lengths > 0],
        "lengths": lengths[lengths > 0],
        **{name: recent[name][kept] for name in FIELDS if name in recent},
    }


def _drop_slots(visits: State) -> None:
    """Free the slots of items without a domain, and remove them from the neighbours of others."""
    taken = np.zeros(len(visits["domain_of"]), np.bool_)
    taken[[*visits["free"], *visits["dropped"]]] = True
    gone = (visits["domain_of"] < 0) & ~taken
    places = visits["places"]
    kept = ~gone[places["at"] // SIZES[-1]] & ~gone[places["ids"]]
    visits["places"] = {name: column[kept] for name, column in places.items()}
    visits["free"] = [*visits["free"], *np.flatnonzero(gone).tolist()]


def _search(network: State, fresh: State, moves: Moves) -> None:
    """Move divergences and the strategies that were found. The search for others begins again."""
    goes_to = moves.goes_to().tolist()
    sources = {n for n, d in enumerate(moves.domains) if d.is_source}
    measured = {str(goes_to[int(t)]): pairs for t, pairs in network["adapter"]["divergence"].items()}
    network["adapter"]["divergence"] = {
        t: [[goes_to[s], d] for s, d in measured.get(t, []) if goes_to[s] in sources - {int(t)}]
        for t in fresh["adapter"]["divergence"]
    }
    if "contest" not in network or "contest" not in fresh:
        network.pop("contest", None)
        return
    contest, new = network["contest"], fresh["contest"]
    contest["measured"] = [goes_to[t] for t in contest["measured"] if goes_to[t] >= 0]
    contest["search"] = new["search"] | {"rest_events": rest_events(contest["search"])}
    contest["rival"] = None


def _drop_names(state: State, gone: list[str]) -> None:
    """Drop what is kept by the name of a removed domain."""
    if not gone:
        return
    rating, bias = state["rating"], state["rating"]["bias"]
    if "names" in bias:  # early states: before biases lay by row
        rating["bias"] = _of_others(bias, gone)
    else:
        bias["context"] = _of_others(bias["context"], gone)
    for table in ("named", "item_parts"):  # early states: before text parts were kept apart
        if table in state:
            state[table] = _without(state[table], gone)
    state["projection"] = _projection_without(state["projection"], gone)
    state["evicted"] = [entry for entry in state["evicted"] if entry[0] not in gone]


def _without(columns: State, gone: list[str]) -> State:
    """Return columns by `domain TAB item`, without items of removed domains."""
    kept = [name.split("\t")[0] not in gone for name in columns["names"]]
    return _kept(columns, np.array(kept, np.bool_))


def _projection_without(projection: State, gone: list[str]) -> State:
    """Return the texts that wait to be projected, without those of removed domains.

    Columns of removed domains stay taken, because others were fitted beside them.
    """
    if "basis" in projection:
        new = {name: count for name, count in projection["new"].items() if name not in gone}
        claims = {name: claim for name, claim in projection["basis"]["claims"].items() if name not in gone}
        basis = projection["basis"] | {"claims": claims}
        return projection | {"basis": basis, "new": new, "waiting": _without(projection["waiting"], gone)}
    pending = [n for n, key in enumerate(projection["pending_keys"]) if key[0] not in gone]
    return projection | {
        "pending_keys": [projection["pending_keys"][n] for n in pending],
        "pending": projection["pending"][pending] if pending else None,
    }


def _of_others(weights: State, gone: list[str]) -> State:
    """Return the weights of the bias model by name, without those of removed domains."""
    kept = [not any(_is_of(name, domain) for domain in gone) for name in weights["names"]]
    return _kept(weights, np.array(kept, np.bool_))


def _is_of(name: str, domain: str) -> bool:
    """Return whether a weight of the bias model belongs to the domain alone."""
    kind, _, rest = name.partition(":")
    if kind in ("domain", "external@domain"):
        return rest == domain
    return kind in ("user@domain", "item", "context@domain") and rest.startswith(f"{domain}:")


def _kept(columns: State, kept: NDArray[np.bool_]) -> State:
    """Return the columns of some of the names."""
    names = [name for name, keep in zip(columns["names"], kept.tolist(), strict=True) if keep]
    return {"names": names, **{key: column[kept] for key, column in columns.items() if key != "names"}}
