"""Take the demo of several processes from its start to its end: stream, kill one, let it come back, count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from consumers.config.schema import Settings
from consumers.dead_letters.topic_reader import LetterLog
from consumers.demo.feed.producer import PacedFeed
from consumers.demo.feed.sent_events import SentEvents, read_sent
from consumers.demo.following import DRAW_SECONDS, SETTLE_SECONDS
from consumers.demo.options import STEADY_RATE, DemoOptions
from consumers.demo.shards.balance import Balance, Outage, balance, counts_of, waits
from consumers.demo.shards.copies import copies
from consumers.demo.shards.limits import partitions_for
from consumers.demo.shards.member import READY, Member
from consumers.demo.shards.sightings import StoreWatch, UserIn
from consumers.demo.shards.summary import Told
from consumers.demo.shards.view import Row, ShardsView
from consumers.errors import BUG, Stop
from consumers.sharing.layout import partition_of
from serving.store.errors import STORE_ERRORS

VICTIM = 1
"""The shard that is killed."""
KILL_SHARE = 0.3
"""Share of the slower part of the stream that is learned before it is killed."""
RECENT_SECONDS = 5.0
"""How old the newest word of a process may be to count as how it is now."""
RESTART_SECONDS = 1.0
"""How long a supervisor, such as systemd, waits before it starts a process again."""
SHARED_SECONDS = 1.0
"""Within it everything that a shard has learned has left as facts."""


class Parts(NamedTuple):
    """What the demo consists of. sent_file: where the feed writes what it has sent."""

    settings: Settings
    members: list[Member]
    feed: PacedFeed
    watch: StoreWatch
    sent_file: Path
    target: str


class Course:
    """One run. It draws while it waits."""

    def __init__(self, parts: Parts, options: DemoOptions, console: Console) -> None:
        self._parts, self._options = parts, options
        self._members, self._feed, self._watch = parts.members, parts.feed, parts.watch
        self._victim = next(member for member in parts.members if member.index == VICTIM)
        self._view = ShardsView(console)
        self._learned: Counter[int] = Counter()
        """Events that the store has, by shard."""
        self._trained = 0
        self._away_since: float | None = None
        """When the shard was killed, in seconds of the view, while it is away."""

    def run(self) -> tuple[Told, str | None]:
        """Return what the summary says, and a user of the killed shard, if it has any. Raises Stop."""
        with self._view:
            for member in self._members:
                member.start()
            self._view.tell(f"{len(self._members)} processes start")
            self._until(lambda: all(member.state == READY for member in self._members))
            self._view.tell("all are ready, the events come")
            self._feed.go()
            begun = time.monotonic()
            first = self._first()
            rate = steady_rate(self._options.rate, first)
            self._feed.go_on(rate)
            self._view.tell(f"the rest of the stream comes at {rate:,.0f} a second")
            self._wait_for_middle()
            users = self._users_of_victim()
            kept = self._kept(users)
            outage, meanwhile = self._outage(users)
            sent = self._settle()
            seconds = time.monotonic() - begun
            self._stop()
        counted = copies(Path(self._parts.settings.checkpoint.directory))
        seen, events = self._watch.seen, sent.events
        told = Told(
            shards=self._options.shards,
            seconds=seconds,
            balance=self._balance(counts_of(events)),
            malformed=sent.malformed,
            repeats=sent.repeats,
            letters=self._letters(),
            first=first,
            outage=outage,
            users=len(self._users_of_victim()),
            kept=(kept, meanwhile),
            waited=waits((e for e in events if self._shard_of(e.user) == VICTIM), seen, outage),
            others_waited=waits((e for e in events if self._shard_of(e.user) != VICTIM), seen, outage),
            copies={name: sum(of.values()) for name, of in counted.items()},
        )
        return told, min(users, default=None)

    # The stages

    def _first(self) -> tuple[int, float] | None:
        """Wait until the events that come first are learned. Return how many there were, and how many a second."""
        begun = time.monotonic()
        self._until(lambda: self._feed.first_sent() is not None or self._feed.finished())
        first = self._feed.first_sent()
        if not first:
            return None
        self._until(lambda: self._learned.total() >= first, progress=self._learned.total)
        rate = first / (time.monotonic() - begun)
        self._view.tell(f"the first {first:,} are learned, {rate:,.0f} a second")
        return first, rate

    def _wait_for_middle(self) -> None:
        """Wait until a part of the slower stream is learned, however slow the machine is; at the latest until its end.

        A file may hold fewer events than were asked for.
        """
        burst = self._options.burst()
        enough = burst + KILL_SHARE * (self._options.events - burst)

        def over() -> bool:
            recently = time.monotonic() - RECENT_SECONDS
            return self._feed.finished() and all(member.idle_since(recently) for member in self._members)

        self._until(lambda: self._learned.total() >= enough or over(), progress=self._learned.total)

    def _outage(self, users: set[str]) -> tuple[Outage, int]:
        """Kill the shard and start it again. Return when, and how many of these users had a list meanwhile."""
        victim, killed = self._victim, _now_ms()
        victim.kill()
        self._view.tell(f"{victim.name} is killed (kill -9)")
        self._away_since = self._view.seconds
        until = time.monotonic() + RESTART_SECONDS
        self._until(lambda: time.monotonic() >= until)
        meanwhile, started = self._kept(users), _now_ms()
        victim.start()
        self._view.tell(f"{victim.name} is started again")
        self._until(lambda: victim.state == READY)
        outage = Outage(VICTIM, killed, started, victim.ready_ms)
        self._away_since, self._view.note = None, ""
        self._view.tell(f"{victim.name} is ready again, after {outage.seconds:.1f} s")
        return outage, meanwhile

    def _settle(self) -> SentEvents:
        """Wait until all that was sent is learned, by every process. Return what was sent.

        A slow machine gets the time it needs: only a wait without progress ends.
        """
        self._until(self._feed.finished)
        self._feed.placed()
        sent = read_sent(self._parts.sent_file)
        self._view.tell("everything is sent")
        counts = counts_of(sent.events)
        self._until(lambda: self._balance(counts).exact, progress=self._learned.total)
        moment = time.monotonic() + SHARED_SECONDS
        self._until(
            lambda: all(member.idle_since(moment) for member in self._members),
            progress=lambda: [
                member.readings[-1:] and member.readings[-1].waiting for member in self._members
            ],
        )
        return sent

    def _stop(self) -> None:
        self._view.tell("all is learned, the processes stop")
        for member in self._members:
            member.end()
        ended = self._until(
            self._all_ended,
            progress=lambda: [member.state for member in self._members],
        )
        if not ended:
            raise Stop("a process of the demo does not stop", BUG)
        self._look(now=True)
        self._draw()

    def _all_ended(self) -> bool:
        """Return whether no process runs; look at each, because one may have ended with an error."""
        ended = [member.ended() for member in self._members]
        return all(ended)

    # What all of them need

    def _until(self, what: Callable[[], bool], progress: Callable[[], Any] = time.monotonic) -> bool:
        """Draw until something holds; return whether it does. Without progress for a while it never will."""
        last, deadline = progress(), time.monotonic() + SETTLE_SECONDS
        while not what():
            for member in self._members:
                member.ended()
            self._look()
            self._draw()
            time.sleep(DRAW_SECONDS)
            if (now := progress()) != last:
                last, deadline = now, time.monotonic() + SETTLE_SECONDS
            if time.monotonic() > deadline:
                return False
        return True

    def _look(self, now: bool = False) -> None:
        try:
            if now:
                self._watch.look()
            elif not self._watch.look_if_due():
                return
        except STORE_ERRORS as error:
            raise Stop(f"the demo's store does not answer ({type(error).__name__})") from error
        self._learned = Counter()
        for (_, user), count in self._watch.seen.latest.items():
            self._learned[self._shard_of(user)] += count

    def _draw(self) -> None:
        if self._away_since is not None:
            self._view.note = (
                f"the {len(self._users_of_victim()):,} users of {self._victim.name} keep their last lists, for "
                f"{self._view.seconds - self._away_since:.0f} s now"
            )
        self._view.refresh(self._rows())

    def _rows(self) -> list[Row]:
        rows = []
        for member in self._members:
            readings, trains = member.readings, member.index is None
            if trains and readings:
                self._trained = int(readings[-1].folded)
            learned = self._trained if member.index is None else self._learned[member.index]
            rows.append(Row(member.name, member.state, learned, readings, trains))
        return rows

    def _shard_of(self, user: str) -> int:
        shards = self._options.shards
        return partition_of(user, partitions_for(shards)) % shards

    def _users_of_victim(self) -> set[str]:
        return {user for user in self._watch.seen.users() if self._shard_of(user) == VICTIM}

    def _kept(self, users: set[str]) -> int:
        return self._watch.lists_of(users, self._parts.target)

    def _balance(self, sent: Counter[UserIn]) -> Balance:
        return balance(sent, self._watch.seen.latest)

    def _letters(self) -> int:
        """Count the events that are dead letters, each once: after a crash there may be two letters of one record."""
        topics = set(self._parts.settings.topics_of("interactions"))
        with LetterLog(self._parts.settings.kafka) as log:
            return len({letter.source for letter in log.letters() if letter.topic in topics})


def steady_rate(asked: float | None, first: tuple[int, float] | None) -> float:
    """Return events a second for the slower part: as asked, else as many as a busy machine learns with ease.

    first: how many events came first, and how many of them were learned a second.

    >>> steady_rate(None, (7200, 150.0)), steady_rate(None, (7200, 2000.0)), steady_rate(500.0, None)
    (75.0, 120.0, 500.0)
    """
    if asked is not None:
        return asked
    return STEADY_RATE if first is None else min(STEADY_RATE, first[1] / 2)


def _now_ms() -> int:
    return int(1000 * time.time())
