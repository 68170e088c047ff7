"""Scores decompose: `why` in Redis and the parts in `explain --json` add up, to 1e-5."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.cli.explain import run_explain
from consumers.cli.main import write_json
from consumers.config.schema import CheckpointConfig, DomainConfig, Settings
from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearnerSettings, LearningSettings, RankerSettings
from models.state.checkpoint import CheckpointDirectory, snapshot
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue
from serving.publication.record_builder import ListOptions
from tests.support.learners.described_items import put_described
from tests.support.store.all_writes import all_writes

CONFIG = {
    "films": DomainConfig(role="source"),
    "books": DomainConfig(role="target", rating_range=(1, 5)),
    "games": DomainConfig(role="target"),
}
"""Ratings come in films and books, clicks in games."""
ADJECTIVES = ("dark", "merry", "slow")


def taught(diversity: float = 0.0) -> tuple[ArmComparison, PublicationQueue]:
    """Return arms after 500 events of 15 users on three domains with text, and their queue."""
    domains = [Domain(name, c.role, c.rating_range) for name, c in CONFIG.items()]
    arms = ArmComparison(domains, LearningSettings(compare=False, ranker=RankerSettings(diversity)))
    queue = PublicationQueue(arms, Keys("cc"), lambda: 1_700_000_000.0, ListOptions(20, 20))
    items = [
        Item(d.name, f"{d.name[0]}{n}", f"{ADJECTIVES[n % 3]} tale {n} {ADJECTIVES[n % 3]}")
        for d in domains
        for n in range(60)
    ]
    put_described(arms, items)
    random = np.random.default_rng(0)
    for n in range(500):
        user, domain = int(random.integers(15)), list(CONFIG)[n % 3]
        item = int(3 * random.integers(20) + user % 3)
        value = None if domain == "games" else float(random.integers(1, 6))
        kind = "click" if value is None else "rating"
        at = 1_700_000_000_000 + n * 60_000
        arms.learn([Interaction(domain, kind, f"u{user}", f"{domain[0]}{item}", at, value)])  # type: ignore[arg-type]
        queue.event(f"u{user}", domain, f"{domain[0]}{item}", at)
        if n % 64 == 63:
            arms.end_batch()
    arms.learn([Interaction("films", "rating", "new", "f1", 1_700_100_000_000, 4.0)])
    queue.event("new", "films", "f1", 0)  # they are new in books and games
    return arms, queue


@pytest.mark.parametrize("diversity", [0.0, 0.6])
def test_why_in_the_store_adds_up_to_the_score(diversity: float) -> None:
    """The parts add up on every list: of known and new users and of the popular lists, read back from JSON."""
    _, queue = taught(diversity)
    lists = {w.key: json.loads(w.value)["items"] for w in all_writes(queue) if w.kind == "set"}
    for domain in CONFIG:
        assert {f"cc:rec:{{u3}}:{domain}", f"cc:rec:{{new}}:{domain}", f"cc:popular:{domain}"} <= set(lists)
    alike = {key: items for key, items in lists.items() if key.startswith("cc:similar:")}
    assert alike
    for key, items in lists.items():
        assert len(items) == 20 or key in alike
        for item in items:
            assert sum(item["why"].values()) == pytest.approx(item["score"], abs=1e-5)
    lists = {key: items for key, items in lists.items() if key not in alike}
    in_order = [all(a["score"] >= b["score"] for a, b in pairwise(i)) for i in lists.values()]
    assert all(in_order) == (diversity == 0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Write a config whose checkpoint holds what `taught` learned."""
    folder = tmp_path_factory.mktemp("explained")
    settings = Settings(
        domains=CONFIG,
        checkpoint=CheckpointConfig(directory=str(folder)),
        learner=LearnerSettings(compare=False),
    )
    state = {"arms": taught()[0].state(), "text_encoder": settings.text_encoder.model, "privacy": ""}
    CheckpointDirectory(folder).save(snapshot(state))
    return settings


@pytest.mark.parametrize(
    ("user", "item", "domain"),
    [("u3", "b6", "books"), ("u3", "g6", "games"), ("new", "b5", "books"), ("nobody", "g7", "games")],
)
def test_explain_writes_parts_that_add_up(
    settings: Settings, tmp_path: Path, user: str, item: str, domain: str
) -> None:
    """Score and rating add up, with ratings and clicks, for a known, a new and an unknown user."""
    write_json(tmp_path / "e.json", run_explain(settings, user, item, domain))
    found: dict[str, Any] = json.loads((tmp_path / "e.json").read_text(), parse_constant=pytest.fail)
    assert sum(found["why"].values()) == pytest.approx(found["score"], abs=1e-5)
    assert sum(found["rating_parts"].values()) == pytest.approx(found["rating"], abs=1e-5)
    assert found["domain_terms"]
    assert {p["domain"] for p in found["past"]} <= set(CONFIG)
    assert bool(found["past"]) == (user == "u3")


def test_the_explained_rating_is_the_prediction(settings: Settings) -> None:
    """The explained rating, clipped to the range, is the prediction for the next such event."""
    arms, _ = taught()
    found = run_explain(settings, "u3", "b5", "books")
    event = Interaction("books", "rating", "u3", "b5", int(arms.full.newest[1] * 1000), 3.0)
    assert min(max(found["rating"], 1.0), 5.0) == pytest.approx(arms.full.score(event).prediction, abs=1e-5)
