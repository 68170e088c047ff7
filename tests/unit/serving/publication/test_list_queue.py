"""Whose lists come first."""

from __future__ import annotations

from serving.publication.list_queue import ListQueue


def test_the_domain_of_the_event_comes_first() -> None:
    """An event's own list is written before any other waits its turn; then the others follow."""
    queue = ListQueue(["a", "b"])
    queue.add("u", "b")
    queue.add("v", "b")
    assert len(queue) == 4
    assert queue.take(10) == ("b", ["u", "v"])
    assert queue.take(10) == ("a", ["u", "v"])
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


def test_a_domain_without_lists_is_nobodys_business() -> None:
    """Events of a domain that is not recommended still refresh the user's other lists."""
    queue = ListQueue(["a"])
    queue.add("u", "silent")
    queue.add_one("v", "silent")
    assert queue.take(5) == ("a", ["u"])
    assert queue.take(5) is None
