"""Name the parts of a learner's state, and load them in an order in which each finds what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.learning.learner import Learner


def live_of(learner: Learner) -> dict[str, Any]:
    """Return what `load_into` takes, as tables that a snapshot copies."""
    return {
        "domains": [d.name for d in learner.domains],
        "roles": [d.role for d in learner.domains],
        "rating_ranges": [list(d.rating_range) for d in learner.domains],
        "users": learner.users.live(),
        "catalogues": [c.live() for c in learner.catalogues],
        "history": learner.history.live(),
        "shown": learner.impressions.lists.live(),
        "experiments": learner.experiments.live(),
        "exposure": learner.shown.live(),
        "rating": learner.rating.live(),
        "alone": {learner.domains[d].name: model.live() for d, model in learner.target_only.items()},
        "ranker": learner.ranker.live(),
        "network": learner.network.live(),
        **learner.intake.live(),
        **learner.rows.state(),
        **learner.clock.state(),
        "learned": learner.learned,
        **learner.pending.state(),
    }


def load_into(learner: Learner, state: dict[str, Any]) -> None:
    """Load a state. Raises ValueError if it has other domains."""
    names = [d.name for d in learner.domains]
    if state["domains"] != names:
        raise ValueError(f"the state holds the domains {state['domains']}, the config {names}")
    learner.users.load(state["users"])
    for catalogue, part in zip(learner.catalogues, state["catalogues"], strict=True):
        catalogue.load(part)
    learner.network.make_room([c.ids.capacity for c in learner.catalogues])
    learner.history.load(state["history"])
    if "shown" in state:  # an early state has none
        learner.impressions.lists.load(state["shown"])
    if "experiments" in state:
        learner.experiments.load(state["experiments"])
    if "exposure" in state:
        learner.shown.load(state["exposure"])
    learner.rating.load(state["rating"])
    for d, model in learner.target_only.items():
        if (held := state.get("alone", {}).get(names[d])) is not None:
            model.load(held)
    learner.history.rename_kinds(learner.ranker.load(state["ranker"]))
    learner.network.load(state["network"])
    learner.intake.load(state)
    learner.rows.load(state)
    learner.clock.load(state)
    learner.scorer.learned[:] = state["learned"]
    if learner.scorer.trains:
        learner.pending.load(state)


def end_future(learner: Learner) -> None:
    """Set every time in a table that lies after the clocks to the clocks' time."""
    learner.ranker.end_future(learner.newest)
    latest = max(learner.newest)
    learner.history.end_future(latest)
    for model in (learner.rating, *learner.target_only.values()):
        model.taste.end_future(latest)
    learner.network.end_future(latest)
    learner.pending.end_future(latest)
