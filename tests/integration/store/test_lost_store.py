"""A store that lost what it acknowledged is noticed: emptied, replaced, or away for a while."""

from __future__ import annotations

import time

from serving.store.store_mark import UNKNOWN
from tests.support.store.publishing import KEYS, PATIENCE, STARTED, Watched, eventually, meta, text


def test_an_emptied_store_is_noticed(watched: Watched) -> None:
    """In a quiet stream `store_lost` is set within seconds of FLUSHALL."""
    watched.publish(meta(), text("a", b"1"))
    watched.publisher.store_lost.clear()
    watched.client.flushall()
    assert watched.publisher.store_lost.wait(PATIENCE)


def test_an_emptied_store_is_noticed_under_load(watched: Watched) -> None:
    """Steady writes, our own `cc:meta` among them, do not hide it."""
    watched.publish(meta())
    watched.publisher.store_lost.clear()
    watched.client.flushall()
    deadline = time.monotonic() + PATIENCE
    while not watched.publisher.store_lost.is_set():
        assert time.monotonic() < deadline
        watched.publisher.submit([meta(), text("a", b"1")])
        time.sleep(0.01)


def test_a_replaced_store_is_noticed(watched: Watched) -> None:
    """A `cc:meta` of another start shows that this is another store."""
    watched.publish(meta())
    watched.publisher.store_lost.clear()
    watched.client.hset(KEYS.meta, "started_ts", STARTED - 1)
    assert watched.publisher.store_lost.wait(PATIENCE)


def test_an_intact_store_is_not_lost(watched: Watched) -> None:
    """The service's own `cc:meta` does not count as a loss, neither before its first write nor after."""
    watched.publisher.store_lost.clear()
    watched.publish(meta(), text("a", b"1"))
    looked = len(watched.answers)
    eventually(lambda: len(watched.answers) > looked + 1)  # the next one may have begun before the write
    assert not watched.publisher.store_lost.is_set()


def test_a_store_emptied_or_replaced_while_we_were_away(redis_url: str) -> None:
    """A store that the earlier process did not write to counts as lost. At a first start there is none to lose."""
    one = Watched(redis_url)
    one.publisher.start()
    assert not one.publisher.store_lost.is_set()
    assert one.publisher.known_store() is None
    one.publish(meta())
    known = one.publisher.known_store()
    assert known is not None
    one.close()
    for before, lost in ((known, False), (known | {"started_ts": STARTED + 1}, True), (UNKNOWN, True)):
        two = Watched(redis_url)
        two.publisher.start(before)
        assert two.publisher.store_lost.is_set() == lost
        two.close()


def test_a_checkpoint_after_a_loss_does_not_know_the_store(watched: Watched) -> None:
    """A process that starts while an emptied store is not filled again finds it lost, and fills it."""
    watched.publish(meta())
    watched.publisher.store_lost.clear()
    watched.client.flushall()
    assert watched.publisher.store_lost.wait(PATIENCE)
    assert watched.publisher.known_store() == UNKNOWN
