"""Keep what each user was shown of late, and find which impression a click answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.learning.resident_rows import ResidentRows
from models.schema import Impression, Interaction
from models.sharing.shared_facts import Place
from models.tables.catalogue import Catalogue, item_hash
from models.tables.seen_items import UserWords
from models.tables.user_history import History

Words = NDArray[np.int64]
Taken = Literal["kept", "out_of_order", "late"]
"""What became of an impression: it is kept; it is kept, although a later one came before it; it is too old."""
Outcome = Literal["answered", "again", "missing", "unshown"]
"""What an event answers: an item of an impression for the first time, or once more; the impression that it names is not
there, or did not show the item; no impression of the last while showed the item."""

WORDS = 256
"""Most numbers of a user. This holds an impression of 200 items, nine of 20, or sixteen of 10."""
HEAD = 5
"""Numbers of an impression besides its items and marks."""
TOP = 10
"""The places that a reader is likely to see at once."""
BITS = 63
"""Marks of clicked items in a number."""


class Shown(NamedTuple):
    """One impression of a user. domain, id: hashes, id 0 for none. time, list_ts: ms, list_ts 0 for none.

    items: (n,) hashes of the items in their order. marks: (n / 63, rounded up) bits of those that were clicked. Both
    may be views of the table.
    """

    domain: int
    id: int
    time: int
    list_ts: int
    items: Words
    marks: Words

    @property
    def clicked(self) -> NDArray[np.bool_]:
        """Whether each item was clicked, (n,)."""
        place = np.arange(len(self.items))
        return (self.marks[place // BITS] >> (place % BITS)) & 1 > 0


class Answer(NamedTuple):
    """What a click answers. place: of the item in the impression, 0 at the top; -1 for none.

    clicks: clicked items of the impression before. above: whether one of them stood above this item. on_top: whether
    one was in the first ten places. time, list_ts: of the impression.
    """

    outcome: Outcome
    place: int = -1
    clicks: int = 0
    above: bool = False
    on_top: bool = False
    time: int = 0
    list_ts: int = 0


class Waiting(NamedTuple):
    """An impression that waits to be learned, or a click on it. domain: number. user: id.

    clicked: the place that was clicked, -1 for the impression itself. place: where it was read, if that is known.
    """

    domain: int
    user: str
    shown: Shown
    clicked: int = -1
    place: Place | None = None


class ShownLists(UserWords):
    """The latest impressions of each user row, as many as fit into 256 numbers of 64 bits.

    An impression of n items takes n + n / 63 (rounded up) + 5 numbers, 8 bytes each: 208 bytes for 20 items. So a user
    takes 2 KB at most, with up to a third more for blocks that are not full, and 6 bytes without impressions. Domains
    and items are hashes: they outlive an item's row and a change of the config.
    """

    def __init__(self) -> None:
        super().__init__(WORDS)

    def add(self, user: int, shown: Shown) -> None:
        """Add an impression. The oldest that do not fit are lost."""
        head = [shown.list_ts, shown.id, shown.domain, shown.time, len(shown.items)]
        words = np.concatenate([shown.items, shown.marks, np.array(head, np.int64)])
        self._add(user, words)

    def words(self, user: int) -> Words:
        """Return the user's numbers, a view of the table."""
        return self._words.of(user)

    def of(self, user: int) -> Iterator[Shown]:
        """Yield the user's impressions, the one added last first."""
        words = self._words.of(user)
        for place in _places(words.tolist()):
            yield _shown(words, place)

    def newest(self, user: int) -> int | None:
        """Return the time of the user's latest impression in ms, None without one."""
        words = self._words.of(user).tolist()
        return max((words[end - 2] for _, _, end in _places(words)), default=None)

    def find(
        self, user: int, domain: int, item: int, wants: Callable[[int, int], bool]
    ) -> tuple[Shown, int] | None:
        """Return the user's latest impression that showed an item, and the item's place there.

        domain, item: hashes. wants: whether an impression of this id and time may be meant. Of two of one time the one
        that was added last counts.
        """
        words = self._words.of(user)
        flat, latest = words.tolist(), -1
        best: tuple[tuple[int, int, int], int] | None = None
        for begin, marks, end in _places(flat):
            _, name, of, time, _ = flat[end - HEAD : end]
            if of == domain and time > latest and wants(name, time) and item in (items := flat[begin:marks]):
                best, latest = ((begin, marks, end), items.index(item)), time
        return None if best is None else (_shown(words, best[0]), best[1])

    def mark(self, user: int, shown: Shown, place: int) -> None:
        """Mark an item of a user's impression as clicked. shown: from `of`, since which nothing was added."""
        shown.marks[place // BITS] |= 1 << (place % BITS)
        self._words.written.add(user)


class Impressions:
    """Takes impressions of users in, and says which one an event answers.

    An event that names an impression answers that one. Any other answers the latest impression that showed its item, no
    more than `window` before it and no later than it.
    """

    def __init__(
        self,
        lists: ShownLists,
        window_seconds: float,
        rows: ResidentRows,
        history: History,
        names: Sequence[str] = (),
    ) -> None:
        """lists: written, and one of the tables of `rows`. names: of domains whose impressions wait to be learned."""
        self.lists, self._rows, self._history = lists, rows, history
        self._window = int(1000 * window_seconds)
        self._waiting: list[Waiting] = []
        self._numbers = {name: n for n, name in enumerate(names)}

    def take(self, shown: Impression, catalogue: Catalogue, place: Place | None = None) -> Taken:
        """Keep an impression; its user gets a row. catalogue: of its domain. place: where it was read."""
        user = self._rows.user(shown.user)
        self._history.reserve(user + 1)
        newest = self.lists.newest(user) or shown.timestamp
        if shown.timestamp < newest - self._window:
            return "late"
        if shown.timestamp > newest + self._window:
            self.lists.drop_user(user)  # no event that comes now can mean the earlier ones
        items = _hashes(shown.items, catalogue)
        name = 0 if shown.event_id is None else item_hash(shown.event_id)
        marks = np.zeros(_numbers(len(items)), np.int64)
        held = Shown(item_hash(shown.domain), name, shown.timestamp, shown.list_ts or 0, items, marks)
        self.lists.add(user, held)
        self._wait(shown.domain, Waiting(0, shown.user, held, place=place))
        return "out_of_order" if shown.timestamp < newest else "kept"

    def answer(self, event: Interaction, read: Place | None = None) -> Answer | None:
        """Return what a click or rating answers, and mark the item as clicked. None: nobody was shown anything.

        read: where the event was read.
        """
        if event.impression is None and self.lists.empty:
            return None
        user = self._rows.users.get(event.user)
        found = None if user is None else self._meant(user, event)
        if user is None or found is None:
            return Answer("unshown" if event.impression is None else "missing")
        shown, place = found
        clicked = shown.clicked
        outcome: Outcome = "again" if clicked[place] else "answered"
        above, on_top = bool(clicked[:place].any()), bool(clicked[:TOP].any())
        answer = Answer(outcome, place, int(clicked.sum()), above, on_top, shown.time, shown.list_ts)
        if outcome == "answered":
            self.lists.mark(user, shown, place)
            # A copy, because the table may move before the click is learned.
            held = shown._replace(items=shown.items.copy(), marks=shown.marks.copy())
            self._wait(event.domain, Waiting(0, event.user, held, place, read))
        return answer

    def _wait(self, domain: str, one: Waiting) -> None:
        number = self._numbers.get(domain)
        if number is not None:
            self._waiting.append(one._replace(domain=number))

    def take_waiting(self) -> list[Waiting]:
        """Return impressions and clicks since the last call, in their order."""
        taken, self._waiting = self._waiting, []
        return taken

    def _meant(self, user: int, event: Interaction) -> tuple[Shown, int] | None:
        """Return the impression that an event answers, and the place of its item there."""
        domain, item = item_hash(event.domain), item_hash(event.item)
        if event.impression is None:
            last, first = event.timestamp, event.timestamp - self._window
            return self.lists.find(user, domain, item, lambda _, time: first <= time <= last)
        named = item_hash(event.impression)
        return self.lists.find(user, domain, item, lambda name, _: name == named)


def _places(words: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each impression of a user begins, where its marks begin, and where it ends; the last one first."""
    end = len(words)
    while end >= HEAD:
        count = words[end - 1]
        marks = end - HEAD - _numbers(count)
        if marks < count:
            return  # the rest of one that has lost its beginning
        yield marks - count, marks, end
        end = marks - count


def _shown(words: Words, place: tuple[int, int, int]) -> Shown:
    """Return the impression at a place of a user's numbers."""
    begin, marks, end = place
    list_ts, name, domain, time, _ = words[end - HEAD : end].tolist()
    return Shown(domain, name, time, list_ts, words[begin:marks], words[marks : end - HEAD])


def _numbers(items: int) -> int:
    """Return how many numbers the marks of so many items take."""
    return -(-items // BITS)


def _hashes(items: Sequence[str], catalogue: Catalogue) -> Words:
    """Return the hashes of items, (n,). Those with a row have it there."""
    rows = np.fromiter(catalogue.ids.rows_of(items), np.int64, len(items))
    found = catalogue.hash_of[rows] if len(catalogue.hash_of) else np.zeros(len(items), np.int64)
    for n in np.flatnonzero(rows < 0).tolist():
        found[n] = item_hash(items[n])
    return found
