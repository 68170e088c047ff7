"""Make a state of other domains, roles or arms fit: what both have goes on, what is new starts new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.adaptation.actions import FOR_TARGETS
from models.migration.domain_axis import Moves, State, learner
from models.schema import Domain
from models.state.tracked_tables import full_state

WHOLE_LEARNERS = "alone"
"""The key under which early states have a second learner for each target. Today's arms use nothing of it."""


class Fitted(NamedTuple):
    """A state that fits. notes: what was done, a sentence each. moved: whether anything is in another place now."""

    state: State
    notes: list[str]
    moved: bool


def fitted(state: State, fresh: State, domains: Sequence[Domain]) -> Fitted:
    """Return the state of the arms for these domains. fresh: a new state. Raises ValueError if no domain is in both."""
    full, names = state["full"], [d.name for d in domains]
    moves = Moves(domains, full["domains"])
    if not set(names) & set(moves.old):
        raise ValueError(f"the state holds the domains {moves.old}, the config {names}: none is in both")
    notes = _ranges(full, fresh["full"])
    fits = _fits(full, fresh["full"])
    if fits and WHOLE_LEARNERS not in state and _same_arms(full, fresh["full"]):
        return Fitted(state, notes, moved=False)
    notes = [*_domains(full, moves), *notes]
    target_only, more = _target_only(full, fresh["full"], moves)
    targets = list(fresh["full"]["alone"])
    begun = [name for name in targets if name not in full.get("alone", {})]
    fitting = full if fits else learner(full, fresh["full"], moves)
    moved = {
        "full": fitting
        | {"alone": target_only.rating, "ranker": fitting["ranker"] | {"alone": target_only.weights}},
        "prequential": _errors(state["prequential"], names, [n for n in begun if moves.old != [n]]),
        "guard": _guard(state["guard"], targets, begun),
        "loop": None if state["loop"] is None else _loop(state["loop"], domains),
    }
    kept = {key: part for key, part in state.items() if key != WHOLE_LEARNERS}
    return Fitted(kept | moved, [*notes, *more], moved=True)


class TargetOnly(NamedTuple):
    """Target-only arms: rating models by domain name, weights of signals by the domain's number as a string."""

    rating: State
    weights: State


def _same_arms(full: State, fresh: State) -> bool:
    """Return whether both have the same target-only arms."""
    held, new = full["ranker"].get("alone", {}), fresh["ranker"]["alone"]
    same: bool = full.get("alone", {}).keys() == fresh["alone"].keys() and held.keys() == new.keys()
    return same


def _target_only(full: State, fresh: State, moves: Moves) -> tuple[TargetOnly, list[str]]:
    """Return the target-only arms that go on, and notes. An arm that is left out starts empty."""
    ratings, weights = full.get("alone", {}), full["ranker"].get("alone", {})
    if len(moves.old) == 1:  # it knew no other domain either
        ratings, weights = (
            {moves.old[0]: full_state(full["rating"])},
            {"0": full_state(full["ranker"]["choices"][0])},
        )
    kept, notes = TargetOnly({}, {}), []
    for name in fresh["alone"]:
        number, old = fresh["domains"].index(name), moves.old.index(name) if name in moves.old else None
        if name in ratings:
            kept.rating[name] = ratings[name]
            if len(moves.old) == 1:
                notes.append(f"{name}: what was learned so far is its target-only learner, too")
        else:
            notes.append(f"{name}: its target-only learner starts empty")
        if name in ratings and str(old) in weights:
            kept.weights[str(number)] = weights[str(old)]
    return kept, notes


def _fits(full: State, fresh: State) -> bool:
    """Return whether domains, order and roles are the same. Early states name targets, not roles."""
    if full["domains"] != fresh["domains"]:
        return False
    if "roles" in full:
        return bool(full["roles"] == fresh["roles"])
    before, now = full["network"], fresh["network"]
    if before["adapter"]["divergence"].keys() != now["adapter"]["divergence"].keys():
        return False
    searched = [
        len(network["contest"]["search"]["next"]) for network in (before, now) if "contest" in network
    ]
    return len(set(searched)) < 2


def _domains(full: State, moves: Moves) -> list[str]:
    """Return a note for each domain that came, went, moved or changed its role."""
    kept = [d.name for d in moves.domains if d.name in moves.old]
    notes = [f"what was learned of {', '.join(kept)} is taken over"]
    notes += [f"{d.name} is new and starts new" for d in moves.domains if d.name not in moves.old]
    notes += [
        f"{name} is not in the config any more: what was learned of it alone is dropped"
        for name in moves.gone()
    ]
    roles = dict(zip(moves.old, full.get("roles", ()), strict=False))
    for domain in moves.domains:
        if roles.get(domain.name, domain.role) != domain.role:
            notes.append(
                f"{domain.name} had the role {roles[domain.name]} and has the role {domain.role} now"
            )
    return notes


def _ranges(full: State, fresh: State) -> list[str]:
    """Return a note for each domain whose rating_range has changed."""
    before = dict(zip(full["domains"], full.get("rating_ranges", ()), strict=False))
    notes = []
    for name, (low, high) in zip(fresh["domains"], fresh["rating_ranges"], strict=True):
        was = before.get(name, [low, high])
        if list(was) != [low, high]:
            notes.append(
                f"rating_range of {name} was [{was[0]:g}, {was[1]:g}] and is [{low:g}, {high:g}]: what was learned of "
                f"ratings is kept as shares of the range, so what was predicted as {was[1]:g} is {high:g} now, and "
                "predictions are clipped to the new range; right if producers rescaled their ratings, else they are "
                "off until new ratings have corrected them"
            )
    return notes


def _errors(state: State, names: list[str], begun: list[str]) -> State:
    """Return the prequential errors by domain, metric and arm; an arm that starts empty has none."""
    kept = {}
    for key, held in state.items():
        domain, _, arm = key.split("\t")
        if domain in names and not (arm == "target_only" and domain in begun):
            kept[key] = held
    return kept


def _guard(state: State, judged: list[str], begun: list[str]) -> State:
    """Return the arm selector's state for domains with a target-only arm. A new arm is not followed before it wins."""
    kept = {}
    for key, held in state.items():
        domain = key.split("\t")[0]
        if domain not in judged:
            continue
        kept[key] = held
        if domain in begun:
            tests = {arm: test for arm, test in held["tests"].items() if arm != "target_only"}
            follows_it = held["followed"] == "target_only"
            kept[key] = held | ({"followed": "full", "tests": {}} if follows_it else {"tests": tests})
    return kept


def _loop(state: State, domains: Sequence[Domain]) -> State:
    """Return detectors, waiting actions and challengers of domains that are still there."""
    names, targets = [d.name for d in domains], [d.name for d in domains if d.is_target]
    kept = {
        part: {key: held for key, held in state[part].items() if key.split("\t")[0] in names}
        for part in ("drift", "waiting", "running")
    }
    kept["waiting"] = {
        name: [action for action in actions if name in targets or action not in FOR_TARGETS]
        for name, actions in kept["waiting"].items()
    }
    return state | kept
