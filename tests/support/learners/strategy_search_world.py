"""Make networks that search for strategies, and look at their trials."""

from __future__ import annotations

from typing import Any

from models.network.network_learner import NetworkLearner
from models.network.search.shadow_network import ShadowNetwork
from models.network.search.strategy_search import StrategySearch
from models.schema import Domain
from tests.support.learners.network_world import World

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]


def searching_world(domains: list[Domain] = DOMAINS, **settings: Any) -> World:
    """Return a world whose network searches for strategies."""
    return World(domains=domains, strategy="auto", **settings)


def search_of(learner: NetworkLearner) -> StrategySearch:
    """Return the learner's search."""
    assert learner.search is not None
    return learner.search


def shadow_of(learner: NetworkLearner) -> ShadowNetwork:
    """Return the shadow of the running trial."""
    found = search_of(learner).shadow
    assert found is not None
    return found


def without_search(learner: NetworkLearner) -> dict[str, Any]:
    """Return the learner's state without that of its search."""
    state = learner.state()
    del state["contest"]
    return state
