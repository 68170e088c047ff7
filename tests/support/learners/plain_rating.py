"""Compute the rating model in plain numpy, one event at a time. The compiled one must agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.schema import Domain

STRENGTH = {
    "everywhere": 2.0, "domain": 20.0, "user": 40.0, "user@domain": 60.0, "item": 4.0, "context": 40.0,
    "context@domain": 40.0, "external": 3.0, "external@domain": 20.0,
}  # fmt: skip
DRIFT = {
    "domain": 1e-5, "user": 2e-4, "item": 2e-4, "context": 1e-5, "context@domain": 1e-5, "external": 1e-5,
    "external@domain": 1e-5,
}  # fmt: skip
THETA = [8.0, 6.0, 20.0, 4.0]
TASTE, TEXT, OFFSET, MOOD_SECONDS = 3.0, 40.0, 12.0, 600.0
Array = NDArray[np.float64]


class PlainRating:
    """The rating model. Users and items are known by their rows; -1 is an unknown one."""

    def __init__(self, domains: Sequence[Domain], dim: int, forget: bool = True) -> None:
        self.ranges = [d.rating_range for d in domains]
        self.drift = DRIFT if forget else {}
        self.width = min(dim, 16)
        self.weights: dict[tuple[Any, ...], float] = {}
        self.variances: dict[tuple[Any, ...], float] = {}
        self.squares, self.vectors = 0.0, 0
        self.beta, self.beta_covariance = np.zeros(dim), np.eye(dim) / TEXT
        self.users: dict[int, dict[str, Any]] = {}
        self.items: dict[tuple[int, int], dict[str, Any]] = {}
        self.logs, self.events = [0.0 for _ in domains], [0 for _ in domains]

    def unit(self, domain: int) -> float:
        low, high = self.ranges[domain]
        return (high - low) / 4.0

    def inputs(self, domain: int, user: int, item: int, context: Iterable[str], external: float) -> Any:
        x = {("everywhere",): 1.0, ("domain", domain): 1.0}
        if user >= 0:
            x["user", user] = x["user@domain", domain, user] = 1.0
        if item >= 0:
            x["item", domain, item] = 1.0
        for name in context:
            x["context", name] = x["context@domain", domain, name] = 1.0
        if external:
            x["external",] = x["external@domain", domain] = external / self.unit(domain)
        return x

    def scaled(self, vector: NDArray[np.float32]) -> Array:
        scale = (self.vectors / self.squares) ** 0.5 if self.squares > 0 else 0.0
        return vector.astype(np.float64) * scale

    def theta(self, user: int, time: float) -> Array:
        if user not in self.users:
            return np.zeros(4 + self.width)
        known = self.users[user]
        theta = known["mean"].astype(np.float64)
        theta[1] *= np.exp(-max(time - known["time"], 0.0) / MOOD_SECONDS)
        return theta

    def popularity(self, domain: int, item: int) -> float:
        if not self.events[domain]:
            return 0.0
        count = self.items[domain, item]["count"] if (domain, item) in self.items else 0
        return (float(np.log1p(count)) - self.logs[domain] / self.events[domain]) / 2.0

    def offset(self, domain: int, item: int) -> NDArray[np.float32]:
        known = self.items.get((domain, item))
        return np.zeros(self.width, np.float32) if known is None else known["offset"]

    def predict(  # noqa: PLR0913  the columns of an event
        self, domain: int, user: int, item: int, vector: NDArray[np.float32], time: float,
        context: Iterable[str] = (), external: float = 0.0,
    ) -> Array:  # fmt: skip
        """Return the columns of `RatingParts` (12,)."""
        unit, bias = self.unit(domain), dict.fromkeys(STRENGTH, 0.0)
        for name, x in self.inputs(domain, user, item, context, external).items():
            bias[name[0]] += self.weights.get(name, 0.0) * x
        x = self.scaled(vector)
        text, theta = float(x @ self.beta), self.theta(user, time)
        own, mood, popularity, crowd = theta[:4]
        return np.array([
            sum(self.ranges[domain]) / 2 + unit * bias["everywhere"],
            unit * bias["domain"],
            unit * (bias["context"] + bias["context@domain"]),
            unit * (own + bias["user"] + bias["user@domain"]),
            unit * mood,
            unit * bias["item"],
            unit * text,
            unit * popularity * self.popularity(domain, item),
            unit * crowd * (bias["item"] + text),
            unit * float(theta[4:] @ (x[: self.width] + self.offset(domain, item))),
            unit * (bias["external"] + bias["external@domain"]),
            external,
        ])  # fmt: skip

    def learn(  # noqa: PLR0913  the columns of an event
        self, domain: int, user: int, item: int, vector: NDArray[np.float32], time: float, value: float,
        context: Iterable[str] = (), external: float = 0.0,
    ) -> Array:  # fmt: skip
        """Predict, then learn. Return the parts (12,)."""
        parts = self.predict(domain, user, item, vector, time, context, external)
        unit, (low, high), total = self.unit(domain), self.ranges[domain], parts[:11].sum()
        censored = (value >= high and total > high) or (value <= low and total < low)
        error = 0.0 if censored else (value - total) / unit
        x = self.scaled(vector)
        inputs = self.inputs(domain, user, item, context, external)
        head = x[: self.width] + self.offset(domain, item)
        phi = np.concatenate([[1.0, 1.0, self.popularity(domain, item), (parts[5] + parts[6]) / unit], head])
        known, record = self.advance(user, time), self.item(domain, item)
        text_gain, taste_gain = self.beta_covariance @ x, known["covariance"] @ phi
        theta = self.theta(user, time)[4:]
        offset_gain = record["variance"] * theta
        variances = {name: self.variances.get(name, 1 / STRENGTH[name[0]]) for name in inputs}
        innovation = 1.0 + sum(variances[name] * value * value for name, value in inputs.items())
        innovation += float(x @ text_gain) + float(phi @ taste_gain) + float(offset_gain @ theta)
        innovation += float(record["variance"] @ np.diagonal(known["covariance"])[4:])
        for name, value_of in inputs.items():
            v = variances[name]
            self.weights[name] = self.weights.get(name, 0.0) + v * value_of * error / innovation
            left = v - (v * value_of) ** 2 / innovation
            self.variances[name] = left + self.drift.get(name[0], 0.0)
        self.beta += text_gain * error / innovation
        self.beta_covariance -= np.outer(text_gain, text_gain) / innovation
        known["mean"] += taste_gain * error / innovation
        known["covariance"] -= np.outer(taste_gain, taste_gain) / innovation
        record["offset"] += offset_gain * error / innovation
        record["variance"] -= offset_gain**2 / innovation
        self.logs[domain] += float(np.log1p(record["count"]))
        self.events[domain] += 1
        record["count"] += 1
        square = float(vector.astype(np.float64) @ vector.astype(np.float64))
        self.squares, self.vectors = self.squares + square, self.vectors + (square > 0)
        return parts

    def advance(self, user: int, time: float) -> dict[str, Any]:
        if user not in self.users:
            prior = np.diag(1 / np.array(THETA + [TASTE] * self.width)).astype(np.float32)
            self.users[user] = {"time": time, "mean": np.zeros(len(prior), np.float32), "covariance": prior}
        known = self.users[user]
        fade = float(np.exp(-max(time - known["time"], 0.0) / MOOD_SECONDS))
        if fade < 1.0:
            known["mean"][1] *= fade
            known["covariance"][1] *= fade
            known["covariance"][:, 1] *= fade
            known["covariance"][1, 1] += (1.0 - fade * fade) / THETA[1]
            known["time"] = time
        return known

    def item(self, domain: int, item: int) -> dict[str, Any]:
        new = {"count": 0, "offset": np.zeros(self.width, np.float32)}
        new["variance"] = np.full(self.width, 1 / OFFSET, np.float32)
        return self.items.setdefault((domain, item), new)
