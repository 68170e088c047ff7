"""Watch a service that learns while something near it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tests.support.service.running import wait_for
from tests.support.service.service_world import World

USERS = 5


class Watch:
    """Produces events and knows how many of each user must have been learned and published."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.expected: Counter[str] = Counter()

    def start(self) -> None:
        self.world.fill(60)
        self.world.service.start()
        self.world.service.wait_until_ready()
        self.produce(50)
        self.wait_until_caught_up()

    def produce(self, events: int, flush: bool = True) -> None:
        for n in range(events):
            user = f"f{n % USERS}"
            self.expected[user] += 1
            self.world.rate(
                "books" if n % 2 else "movies", user, f"{'b' if n % 2 else 'm'}{n % 20}", 1 + n % 5
            )
        if flush:
            self.world.producer.flush()

    def counts(self) -> Counter[str]:
        return Counter({user: self.world.counts(user) for user in self.expected})

    def learned(self) -> int:
        """Return how many of the events sent here this process has learned."""
        return self.world.learned() - 60

    def wait_until_learned(self) -> None:
        wait_for(lambda: self.learned() == self.expected.total(), why=f"{self.expected.total()} learned")

    def wait_until_caught_up(self) -> None:
        """Wait until everything is learned and in the store, and the service is ready."""
        wait_for(lambda: self.counts() == self.expected, why=f"{self.expected} published")
        self.world.service.wait_until_ready()
        assert self.learned() == self.expected.total()

    def wait_until_unready(self, reason: str) -> None:
        def says() -> Any:
            status, why = self.world.service.get("/readyz")
            return status == 503 and reason in why

        wait_for(says, why=f"not ready: {reason}")


Made = TypeVar("Made", bound=Watch)


def watched(world: World, make: Callable[[World], Made]) -> Iterator[Made]:
    """Start a service for all faults of a module. At the end it must stop in order, without a traceback in its log."""
    try:
        made = make(world)
        made.start()
        yield made
        assert world.service.stop() == 0
        assert "Traceback" not in world.service.log.read_text()
    finally:
        world.close()
