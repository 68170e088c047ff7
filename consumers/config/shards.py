"""Define the keys of `[shards]`, and check them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import msgspec


class ShardsConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Several processes of one service, which share what they learn. With `count = 1` no other key matters."""

    count: int = 1
    """Shards of this service. Users are dealt out to them by partition."""
    index: int | None = None
    """Which of them this process is, from 0; by default the number at the end of the host's name."""
    facts_topic: str = "crosscurrent.facts"
    """Topic of what shards tell each other of learned events. It has one partition."""
    reroute_topic: str = "crosscurrent.reroute"
    """Topic of events that came in another partition than that of their key."""
    model_topic: str = "crosscurrent.model"
    """Topic of the network's weights, which `crosscurrent network` publishes. It has one partition and is compacted."""
    share_ms: float = 200.0
    """Milliseconds after which facts leave at the latest."""
    network_ms: float = 1000.0
    """Milliseconds between two publications of the network's weights."""
    alone_seconds: float = 60.0
    """Seconds without an acknowledgement of facts after which reading pauses."""

    @property
    def several(self) -> bool:
        """Whether there is more than one shard."""
        return self.count > 1

    def own(self) -> int:
        """Return the index of this process, -1 if neither the config nor the host's name tells it."""
        if not self.several:
            return 0
        if self.index is not None:
            return self.index
        found = re.search(r"(\d+)$", socket.gethostname())
        return int(found[1]) if found else -1


def problems(shards: ShardsConfig, need_index: bool = True) -> Iterator[str]:
    """Yield a line for each problem, which begins with the path of its key and a colon.

    need_index: the index must be told, by the config or the host's name.
    """
    if shards.count < 1:
        yield "shards.count: must be at least 1"
        return
    if not need_index and shards.index is None:
        return
    if shards.several and not 0 <= shards.own() < shards.count:
        told = "the host's name ends in no number" if shards.own() < 0 else f"this one is {shards.own()}"
        yield (f"shards.index: must be from 0 to {shards.count - 1} (CROSSCURRENT_SHARDS__INDEX); {told}")
