"""Learn from impressions and the clicks that answer them: appeal, fatigue, and how ranks are examined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import Examination, prior_curve
from models.learning.impressions import Impressions, ShownLists, Waiting
from models.learning.resident_rows import RowTables
from models.learning.shown.appeal import Appeal
from models.learning.shown.click_model import ClickModel, Examples, Met
from models.learning.shown.drawn_lists import Drawn, DrawnLists
from models.learning.shown.exploration import Exploration
from models.learning.shown.fatigue import examined, passed_over
from models.learning.shown.list_maker import RENEWED, ListMaker, Made
from models.learning.shown.shared_appeal import SharedAppeal
from models.learning.shown.shown_scores import centre, places_among
from models.ranking.candidates import Added
from models.ranking.listing import weigh_all
from models.settings import ARMS, SINGLE, LearningSettings
from models.signals.registry import PLACES
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import item_hash

if TYPE_CHECKING:
    from models.learning.learner import Learner

Floats = NDArray[np.float64]

Counted = Literal["drawn", "explored", "new"]
PLACES_LEARNED = 50
"""The first places of an impression, which teach. Those below are hardly examined."""
TOGETHER = 64
"""The most impressions that are scored together, which bounds the memory for their candidates."""


class Described(NamedTuple):
    """The shown items of some impressions of one domain, n in all, as `Examples` names them.

    at: (n,) the number of the impression. place: (n,) in it. rows: (n,) item rows.
    """

    at: NDArray[np.int64]
    place: NDArray[np.int64]
    rows: NDArray[np.int64]
    x: Floats
    theta: Floats


class ShownLearning(Checkpointed):
    """What a learner learns from impressions. They wait in `Impressions.waiting` until `learn` is called.

    What was shown is scored by the ranker as it is before the clicks on it are learned. So everything here follows from
    the log alone, but for the draws of lists, which are kept when they are published. The candidates of a shown list
    are found anew, because a list may be read long after it was made: this costs about as much as an event.

    A shard scores the impressions of its own users. Appeals it learns from those of all: see `SharedAppeal`.
    """

    def __init__(self, learner: Learner, settings: LearningSettings) -> None:
        """learner: it is read, and its ranker's candidates are overwritten."""
        self._learner, lists = learner, ShownLists()
        names = [domain.name for domain in learner.domains if domain.recommend]
        window = settings.impressions.window_seconds
        self.impressions = Impressions(lists, window, learner.rows, learner.history, names)
        self.appeal = Appeal(learner.index, learner.catalogues)
        self.shared: SharedAppeal | None = None
        """Appeals as several learners have them; None if there is one learner only."""
        self.clicks = ClickModel(len(learner.domains))
        self.examination = Examination(len(learner.domains))
        self.curves = np.tile(prior_curve(), (len(learner.domains), 1))
        """(domains, RANKS): how often each rank is examined, as learned a while ago: to fit curves takes time."""
        self.drawn = DrawnLists()
        self.counts = Counter[tuple[int, Counted]]()
        """By domain: places of published lists that were drawn, those of them that explore, and shows of new items."""
        self.tables: list[RowTables] = [lists, self.appeal, self.drawn]
        """What has a row of each user or item, besides the learner's own tables."""
        exploration = self.exploration = Exploration(settings.ranker.explore, settings.seed)
        self.lists = ListMaker(
            learner.domains, learner.catalogues, learner.ranker, lists, self.appeal, self.clicks,
            self.curves, exploration, {},
        )  # fmt: skip
        self._names = [item_hash(domain.name) for domain in learner.domains]

    # Lists that were drawn

    def keep(self, user: str | None, domain: int, list_ts: int, made: Made) -> None:
        """Keep how a list was drawn that is published, if it was drawn. list_ts: its `published_ts`."""
        row = None if user is None or made.pool is None else self._learner.users.get(user)
        if made.p is not None:
            self.counts[domain, "drawn"] += len(made.p)
            self.counts[domain, "explored"] += made.explored
        if made.pool is not None and made.candidates is not None and row is not None:
            items = self._learner.catalogues[domain].hash_of[made.ranked.rows]
            self.drawn.keep(row, Drawn(self._names[domain], list_ts, items, made.pool, made.candidates.share))

    # Learning

    def learn(self) -> None:
        """Learn what was shown and clicked since the last call."""
        waiting = self.impressions.take_waiting()
        if not waiting:
            return
        for domain in sorted({one.domain for one in waiting}):
            some = [one for one in waiting if one.domain == domain]
            for begin in range(0, len(some), TOGETHER):
                self._learn(domain, some[begin : begin + TOGETHER])

    def _learn(self, domain: int, seen: Sequence[Waiting]) -> None:
        """Learn from at most 64 shows and clicks of a domain."""
        described = self._described(domain, seen)
        clicked = np.array([one.clicked for one in seen], np.int64)[described.at]
        shown = (clicked < 0).astype(np.float64)
        clicks = (clicked == described.place).astype(np.float64)
        texts = self.appeal.told_by_text(domain, described.rows)
        mean = self.appeal.of(domain, described.rows, texts).mean
        self._judge(domain, described, mean, clicked)
        kept = (shown + clicks) > 0
        at, place, rows = described.at[kept], described.place[kept], described.rows[kept]
        x, theta = described.x[kept], described.theta[kept]
        shown, clicks = shown[kept], clicks[kept]
        count = sum(one.clicked < 0 for one in seen)
        expected = self.clicks.expected(domain, x[:, 0], theta)
        counts = np.where(self.appeal.sure(domain, rows), 1.0, self.clicks.shares(domain)[0])
        self.clicks.learn(domain, Examples(x, theta, counts * mean[kept], clicks, shown, count))
        self.appeal.learn_texts(domain, rows, texts[kept], expected * shown, clicks, count)
        new, hit = shown > 0, clicks > 0
        self.counts[domain, "new"] += int(self.appeal.is_new(domain, rows[new]).sum())
        appeal, fresh = self.shared or self.appeal, self._fresh(seen)[at]
        appeal.show(domain, rows[new & fresh], expected[new & fresh])
        appeal.click(domain, rows[hit & fresh], clicks[hit & fresh])
        impressions = int(self.clicks.impressions[domain])
        if (impressions - count) // RENEWED != impressions // RENEWED:
            self.appeal.renew(domain)
            self.curves[domain] = self.examination.curve(domain)
        for n, k in zip(at[hit].tolist(), place[hit].tolist(), strict=True):
            self._examine(domain, seen[n], k)

    def _fresh(self, seen: Sequence[Waiting]) -> NDArray[np.bool_]:
        """Return whether each show or click counts here for the first time, (n,)."""
        return np.ones(len(seen), np.bool_) if self.shared is None else self.shared.claim(seen)

    def _judge(self, domain: int, described: Described, mean: Floats, clicked: NDArray[np.int64]) -> None:
        """Let clicks tell what appeal and fatigue are worth. clicked: (n,) the place, or -1."""
        of = clicked >= 0
        if of.any():
            here = clicked[of] == described.place[of]
            met = Met(described.at[of], described.x[of, 0], described.theta[of], mean[of], here)
            self.clicks.judge(domain, met)

    def _examine(self, domain: int, seen: Waiting, place: int) -> None:
        """Let a click tell how often its rank is examined, if it is known how the list was drawn."""
        row = self._learner.users.get(seen.user)
        drawn = None if row is None else self.drawn.drawn(row, seen.shown)
        if drawn is not None and place < len(drawn[0].weights):
            pool, share = drawn
            clicked = np.zeros(len(pool.weights), np.bool_)
            clicked[place] = True
            self.examination.add(domain, pool, clicked, share)

    def _described(self, domain: int, seen: Sequence[Waiting]) -> Described:
        """Score what was shown as the ranker would now."""
        learner = self._learner
        catalogue, ranker = learner.catalogues[domain], learner.ranker
        width = min(max(len(one.shown.items) for one in seen), PLACES_LEARNED)
        sure = np.full((len(seen), width), -1, np.int32)
        for n, one in enumerate(seen):
            items = one.shown.items[:width]
            sure[n, : len(items)] = catalogue.row_by_hash.get_all(items)
        users = [learner.users.get(one.user) for one in seen]
        asked = learner.scorer.ask(users, domain, learner.newest[domain])
        space, wanted = learner.scorer.space(domain, asked.vector), np.arange(len(seen))
        proposed = ranker.propose(domain, asked, space, wanted, Added(sure, sure[0, :0]))
        at, place = np.nonzero(sure >= 0)
        rows = sure[at, place].astype(np.int64)
        found = places_among(proposed.rows, proposed.sizes, at, rows)
        x = np.zeros((len(rows), len(ARMS), 4))
        scores = np.zeros(proposed.rows.shape, np.float32)
        for arm, name in enumerate(ARMS):
            if name in SINGLE:
                scores[:] = proposed.values[:, PLACES[SINGLE[name]]]
            elif name == "full" or domain in ranker.target_only:
                weigh_all(asked, wanted, proposed, ranker.weighing(domain, None, arm == 1), scores)
            centre(scores, proposed.sizes, at, found, x[:, arm])
        curve, lists = self.curves[domain], self.impressions.lists
        over, hashes = np.zeros(len(rows)), catalogue.hash_of[rows]
        begin = np.searchsorted(at, np.arange(len(seen) + 1)).tolist()
        for n, one in enumerate(seen):
            here = slice(begin[n], begin[n + 1])
            over[here] = passed_over(lists, users[n], self._names[domain], curve, hashes[here], one.shown)
        x[:, :, 3] = over[:, None]
        return Described(at, place, rows, x, examined(curve, max(width, 1))[place])

    @property
    def identified(self) -> bool:
        """Whether lists that were drawn tell how ranks are examined. Without, a usual curve is taken."""
        return self.examination.identified

    # State

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "appeal": self.appeal.live(),
            "clicks": self.clicks.state(),
            "examination": self.examination.state(),
            "curves": self.curves,
            "drawn": self.drawn.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.appeal.load(state["appeal"])
        self.clicks.load(state["clicks"])
        self.examination.load(state["examination"])
        self.curves[:] = state["curves"]
        self.drawn.load(state["drawn"])
