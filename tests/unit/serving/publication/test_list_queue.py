"""The queue orders lists: urgent ones, then the others."""

from __future__ import annotations

from serving.publication.list_queue import ListQueue


def test_the_domain_of_the_event_comes_first() -> None:
    """An event's own list is written before any other waits its turn; then the others follow."""
    queue = ListQueue(["a", "b"])
    queue.add("u", "b")
    queue.add("v", "b")
    assert len(queue) == 4
    assert queue.take(10) == ("b", ["v", "u"])
    assert queue.take(10) == ("a", ["v", "u"])
    assert queue.take(10) is None


def test_a_list_is_in_the_queue_once() -> None:
    """A later event makes a waiting list urgent; repeats change nothing."""
    queue = ListQueue(["a", "b"])
    queue.add("u")
    queue.add("u", "a")
    queue.add("u", "a")
    assert len(queue) == 2
    assert queue.take(1) == ("a", ["u"])
    queue.add("u", "b")
    assert queue.take(1) == ("b", ["u"])
    assert queue.users() == {"u"}
    queue.discard("u")
    assert len(queue) == 0


def test_the_newest_come_first_until_one_is_overdue() -> None:
    """The user of the newest event is served first, until another one has waited too long."""
    now = 0.0
    queue = ListQueue(["a"], lambda: now, within=1.0)
    for second, user in enumerate("uvw"):
        now = second / 4
        queue.add(user, "a")
    assert not queue.overdue()
    assert queue.take(1) == ("a", ["w"])
    now = 0.9
    queue.add("v", "a")  # waits since 0.25 s, and is the newest now
    assert queue.take(1) == ("a", ["v"])
    queue.add("x", "a")
    now = 1.1
    assert queue.overdue()
    assert queue.take(1) == ("a", ["u"])
    assert not queue.overdue()


def test_a_domain_without_lists_is_nobodys_business() -> None:
    """Events of a domain that is not recommended still refresh the user's other lists."""
    queue = ListQueue(["a"])
    queue.add("u", "silent")
    queue.add_one("v", "silent")
    assert queue.take(5) == ("a", ["u"])
    assert queue.take(5) is None
