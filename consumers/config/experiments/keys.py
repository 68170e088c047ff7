"""Define the keys of `[experiments]`, and make the experiments that they name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from models.experiments.experiment import Experiment, ListSettings, Unit
from models.settings import RankerSettings

if TYPE_CHECKING:
    from consumers.config.schema import Settings

MADE_BY = "made_by"
LIST_KEYS = {
    "ranker": tuple(field.name for field in msgspec.structs.fields(RankerSettings)),
    "publish": ("top", "explain_top"),
}
"""What an arm may override, by section: what changes a list when it is made, and nothing that is learned."""


class ExperimentConfig(msgspec.Struct, forbid_unknown_fields=True):
    """A live experiment: some users, or some lists, get lists that are made in another way. A domain is in one at most.

    `crosscurrent experiment status` says what is known by now.
    """

    arms: dict[str, dict[str, Any]] = {}
    """What each arm overrides: keys of `ranker`, `publish.top`, `publish.explain_top`, and `made_by` (`full`,
    `target_only`, `text` or `popularity`; by default the arm selector decides). The first arm is the one that the
    others are compared with; it may override nothing."""
    weights: dict[str, float] = {}
    """The shares of the arms among those that take part: `{a = 9, b = 1}`. Without it they are equal."""
    share: float = 1.0
    """Share of all users (or lists) that take part. It may grow while the experiment runs: nobody changes arms."""
    unit: Unit = "user"
    """What is given an arm. `user`: a user keeps theirs. `list`: each list by itself, which finds small lifts sooner,
    but not what a user does later. Impressions must then have `list_ts`."""
    domains: list[str] = []
    """Domains whose lists it changes; all that are recommended by default."""
    starts: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """When it starts: `2026-12-01T08:00:00Z`. With `unit = "user"`, what its users were shown and clicked before
    explains a part of their differences, so that smaller lifts are found. Without it, it has always run."""


def experiments(settings: Settings) -> list[Experiment]:
    """Return the experiments of a config without problems."""
    secret = settings.privacy.key
    key = blake2b(secret.encode(), digest_size=32).digest() if secret else b""
    made = []
    for name, one in settings.experiments.items():
        weights = {arm: float(one.weights.get(arm, 1.0)) for arm in one.arms}
        total = sum(weights.values())
        starts = 0 if one.starts is None else int(one.starts.timestamp() * 1000)
        made.append(
            Experiment(
                name,
                domains_of(one, settings),
                one.unit,
                {arm: _lists(settings, overrides) for arm, overrides in one.arms.items()},
                {arm: weight / total for arm, weight in weights.items()},
                one.share,
                starts,
                key,
            )
        )
    return made


def domains_of(one: ExperimentConfig, settings: Settings) -> tuple[str, ...]:
    """Return the domains whose lists an experiment changes."""
    return tuple(one.domains or (name for name, domain in settings.domains.items() if domain.recommend))


def _lists(settings: Settings, overrides: Mapping[str, Any]) -> ListSettings:
    with_them = overridden(settings, overrides)
    publish = with_them.publish
    return ListSettings(publish.top, publish.explain_top, with_them.ranker, overrides.get(MADE_BY))


def overridden(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings of an arm. Raises msgspec.ValidationError for a value of another type."""
    sections = {}
    for section in LIST_KEYS:
        plain = msgspec.structs.asdict(getattr(settings, section)) | overrides.get(section, {})
        sections[section] = msgspec.convert(plain, type(getattr(settings, section)))
    return msgspec.structs.replace(settings, **sections)
