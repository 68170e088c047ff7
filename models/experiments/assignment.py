"""Give each unit of an experiment an arm, the same one whenever it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

STEPS = 2**64


def arm_of(experiment: str, unit: str, shares: Mapping[str, float], key: bytes = b"") -> str | None:
    """Return the arm of a unit, or None if the unit is in no arm.

    The hash of experiment and unit is a point in [0, 1). Arms take intervals of it in their order, each as long as its
    share. Experiments are independent of each other, because the hash depends on the name. shares: of all units, by
    arm; together at most 1. key: up to 64 secret bytes; with a key nobody can choose a unit id for an arm.

    >>> [arm_of("size", f"user-{n}", {"a": 0.5, "b": 0.5}) for n in range(4)]
    ['a', 'b', 'a', 'b']
    >>> arm_of("size", "user-0", {"a": 0.0, "b": 0.0}) is None
    True
    """
    name = experiment.encode()
    digest = blake2b(len(name).to_bytes(4) + name + unit.encode(), digest_size=8, key=key).digest()
    point, end = int.from_bytes(digest), 0.0
    for arm, share in shares.items():
        end += share
        if point < round(end * STEPS):
            return arm
    return None
