"""Make a pipeline whose users ask to be forgotten."""

from __future__ import annotations

import json
from typing import Any

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.saving.checkpointer import Checkpointer
from models.adaptation.challengers import FreshBias
from models.network.search.shadow_network import ShadowNetwork
from models.state.snapshot import snapshot
from serving.client.pseudonyms import Pseudonyms
from tests.support.doubles import ListSource
from tests.support.service.pipelines import clocks_of, list_pipeline

START = 1_700_000_000_000


USER = "u-forget-me"


MARK = Pseudonyms().mark(USER)


def settings(**more: Any) -> Any:
    return build(
        {
            "domains": {"movies": {}, "books": {"role": "target"}},
            "intake": {"batch_events": 8, "network_events": 16, "dedup_events": 100},
            "learner": {"users": 12, "items_per_domain": 40},
            "kafka": {"forget_topic": "forget"},
            **more,
        }
    )


def event(n: int, user: str = USER, **fields: Any) -> tuple[str, str, dict[str, Any]]:
    """Return the n-th rating, in both domains in turn. Its event_id names the user."""
    domain = ("movies", "books")[n % 2]
    value = {"type": "rating", "user_id": user, "item_id": f"{domain[0]}{n % 12}", "value": 1 + n % 5}
    return f"interactions.{domain}", user, value | {"event_id": f"{user}/{n}"} | fields


def forget(mark: str, when: int) -> tuple[str, str, dict[str, Any]]:
    return "forget", mark, {"timestamp": when}


class World:
    """A pipeline on a list that grows."""

    def __init__(self, config: Any = None, checkpointer: Checkpointer | None = None) -> None:
        self.config = config or settings()
        self.records: list[Record] = []
        self.source = ListSource(self.records)
        self.now = 0.0
        clocks = clocks_of(lambda: self.now)
        self.pipeline = list_pipeline(self.config, self.source, checkpointer=checkpointer, clocks=clocks)
        self.arms, self.queue = self.pipeline.arms, self.pipeline.queue

    def put(self, *sent: tuple[str, str, dict[str, Any]]) -> None:
        for topic, key, value in sent:
            n = len(self.records)
            data = json.dumps(value).encode()
            self.records.append(Record(topic, 0, n, START + 1000 * n, key.encode(), data))

    def run(self) -> None:
        """Learn all records."""
        self.pipeline.step()
        self.now += 10.0
        self.pipeline.step()
        assert not len(self.pipeline.batcher)

    def live(self) -> None:
        """Fill all that holds ids: rows of both arms, evictions, a shadow network, challengers, waiting events."""
        others = [event(n, f"v{n % 20}") for n in range(100)]
        self.put(*others[:50], *(event(n) for n in range(30)))
        self.run()
        for domain in ("movies", "books"):
            index = self.arms.full.index[domain]
            assert self.arms.loop is not None
            self.arms.loop.running[domain, "bias"] = FreshBias("reset_domain", self.arms.full, index)
        network = self.arms.full.network
        assert network.search is not None
        network.search.shadow = ShadowNetwork(network.trainer, network.items)
        self.put(*others[50:], *(event(n) for n in range(30, 41)))
        self.run()
        assert self.arms.full.waiting
        assert USER in self.arms.full.users

    def bytes(self) -> bytes:
        """Return the whole state as a checkpoint holds it."""
        taken = snapshot(self.pipeline.state())
        return taken.body + b"".join(array.tobytes() for array in taken.tensors.values())
