"""Run the usual alternatives: a batch item-KNN with trending, refitted from time to time, and River's BiasedMF."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from river import reco
from scipy.sparse import csr_matrix

from consumers.evaluation.dataset import Data
from consumers.evaluation.metrics import rank_of
from consumers.evaluation.predictions import TOP, WARM_UP_SHARE, ArmOutcome
from consumers.evaluation.workers import Tell
from models.text.top_k import top_k_unordered

RETRAININGS = 50
TRENDING_DAYS = 3.0
NEIGHBOURS = 100


def run_item_knn(data: Data, seed: int, progress: Tell) -> list[ArmOutcome]:
    """Rank with implicit's BM25 item-KNN on the target, refitted every fiftieth of its stream, plus 3-day trending.

    Both parts are scaled to a maximum of 1 for each user. Items that a user had are left out at once, not only
    from the next refit on. Raises ImportError without the extra `evaluate`.
    """
    from implicit.nearest_neighbours import BM25Recommender  # noqa: PLC0415  (extra `evaluate`)

    ids = dict.fromkeys(i.item_id for i in data.items if i.domain == data.target)
    row_of = {item_id: n for n, item_id in enumerate(ids)}
    items = len(row_of)
    events = [e for e in data.events if e.domain == data.target]
    user_of = {u: n for n, u in enumerate(dict.fromkeys(e.user for e in events))}
    outcome = ArmOutcome("item_knn_batch", seed, len(events))
    outcome.catalogue = items
    first, every = int(WARM_UP_SHARE * len(events)), max(1, len(events) // RETRAININGS)
    trending, newest = np.zeros(items), 0.0
    had: list[dict[int, None]] = [{} for _ in user_of]
    similarity: Any = None
    for at, event in enumerate(events):
        if at and at % every == 0:
            similarity = _fit(BM25Recommender(K=NEIGHBOURS, num_threads=1), had, items)
            progress(at)
        user, item = user_of[event.user], row_of.get(event.item)
        now = max(newest, event.timestamp / 86_400_000)
        trending *= 0.5 ** ((now - newest) / TRENDING_DAYS) if newest else 1.0
        newest = now
        if item is None:
            continue
        mine = had[user]
        if at >= first and item not in mine:
            scores = trending / max(trending.max(), 1e-12)
            if similarity is not None and mine:
                near = np.asarray(similarity[list(mine)].sum(axis=0)).ravel()
                scores = scores + near / max(near.max(), 1e-12)
            eligible = np.ones(items, np.bool_)
            eligible[list(mine)] = False
            scores = scores.astype(np.float32)
            outcome.rank[at] = rank_of(scores, eligible, item)
            outcome.recommended.update(top_k_unordered(scores, eligible, TOP).tolist())
        trending[item] += 1.0
        mine[item] = None
    progress(len(events))
    return [outcome]


def _fit(model: Any, had: list[dict[int, None]], items: int) -> Any:
    rows = np.repeat(np.arange(len(had)), [len(mine) for mine in had])
    columns = np.array([i for mine in had for i in mine], np.int64)
    matrix = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(had), items))
    with warnings.catch_warnings():
        # implicit warns each time that it converts its own intermediate matrix
        warnings.simplefilter("ignore")
        model.fit(matrix, show_progress=False)
    return model.similarity.tocsr()


def run_river(data: Data, seed: int, everywhere: bool, progress: Tell) -> list[ArmOutcome]:
    """Rate with River's own `BiasedMF`, on ratings of the target or of all domains. Clip as for all arms."""
    total = sum(e.domain == data.target for e in data.events)
    outcome = ArmOutcome("river_biased_mf_all" if everywhere else "river_biased_mf_target", seed, total)
    model = reco.BiasedMF(seed=seed)
    at = 0
    for n, event in enumerate(data.events):
        is_target = event.domain == data.target
        if event.value is not None and (everywhere or is_target):
            if is_target:
                predicted = float(model.predict_one(event.user, event.item))
                outcome.prediction[at] = np.clip(predicted, *data.rating_range)
            model.learn_one(event.user, event.item, y=event.value)
        at += is_target
        if n % 10_000 == 0:
            progress(n)
    progress(len(data.events))
    return [outcome]
