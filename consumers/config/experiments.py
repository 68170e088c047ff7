"""Define the keys of `[experiments]`, check them, and make the experiments that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from models.experiments.experiment import Experiment, ListSettings, Unit
from models.settings import RankerSettings

if TYPE_CHECKING:
    from consumers.config.schema import Settings

NAME = re.compile(r"[\w.-]{1,40}")
MADE_BY = "made_by"
MAKERS = ("full", "target_only", "text", "popularity")
"""The arms that `made_by` may name; see `models/arms/arm_selector.py`."""
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
                _domains(one, settings),
                one.unit,
                {arm: _lists(settings, overrides) for arm, overrides in one.arms.items()},
                {arm: weight / total for arm, weight in weights.items()},
                one.share,
                starts,
                key,
            )
        )
    return made


def _domains(one: ExperimentConfig, settings: Settings) -> tuple[str, ...]:
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


def problems(settings: Settings) -> Iterator[str]:
    """Yield a line for each problem, which begins with the path of its key and a colon."""
    taken: dict[str, str] = {}
    for name, one in settings.experiments.items():
        key, domains = f"experiments.{name}", _domains(one, settings)
        yield from _own_problems(key, name, one)
        for domain in domains:
            yield from _domain_problems(settings, key, domain, taken)
            taken.setdefault(domain, name)
        for arm, overrides in one.arms.items():
            yield from _arm_problems(settings, f"{key}.arms.{arm}", overrides, domains)


def _own_problems(key: str, name: str, one: ExperimentConfig) -> Iterator[str]:
    """Yield what is wrong with an experiment by itself."""
    for told, what in ((name, key), *((arm, f"{key}.arms.{arm}") for arm in one.arms)):
        if not NAME.fullmatch(told):
            yield f"{what}: a name has 1 to 40 letters, digits, _, . and -"
    if len(one.arms) < 2:
        yield f"{key}.arms: name at least two, as in [{key}.arms.a] and [{key}.arms.b]"
    if not 0 < one.share <= 1:
        yield f"{key}.share: must be above 0 and at most 1"
    for arm, weight in one.weights.items():
        if arm not in one.arms:
            yield f"{key}.weights.{arm}: there is no such arm; there are {', '.join(one.arms)}"
        elif not 0 < weight < inf:
            yield f"{key}.weights.{arm}: must be above 0; leave the arm out if nobody shall have it"
    if one.unit == "list" and one.starts is not None:
        yield f'{key}.starts: with unit = "list" nothing was before, because each list is new; leave it out'


def _domain_problems(settings: Settings, key: str, domain: str, taken: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with one domain of an experiment. taken: the experiments of domains so far."""
    if domain not in settings.domains:
        yield f"{key}.domains: {domain} is not in the config, which has {', '.join(settings.domains)}"
    elif not settings.domains[domain].recommend:
        yield f"{key}.domains: domains.{domain}.recommend is false, so there are no lists"
    elif domain in taken:
        yield (
            f"{key}.domains: {domain} is in experiment {taken[domain]} already, and a list is of one experiment; name "
            f"other domains in {key}.domains, or end one of the two"
        )


def _target_only(settings: Settings, domains: Iterable[str]) -> bool:
    """Return whether all these domains have a target-only arm."""
    targets = all(settings.domains[name].role != "source" for name in domains if name in settings.domains)
    return targets and settings.learner.compare and len(settings.domains) > 1


def _arm_problems(
    settings: Settings, key: str, overrides: Mapping[str, Any], domains: Iterable[str]
) -> Iterator[str]:
    """Yield what is wrong with the overrides of an arm. key: its path. domains: of the experiment."""
    before = len(key) + 1
    found = [
        problem for path, value in _leaves(overrides, key) for problem in _leaf(settings, path, value, before)
    ]
    if found:
        yield from found
        return
    try:
        with_them = overridden(settings, overrides)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        yield f"{key}: {where.rstrip('`')}: {what}" if where else f"{key}: {what}"
        return
    if overrides.get(MADE_BY) == "target_only" and not _target_only(settings, domains):
        yield (
            f"{key}.{MADE_BY}: target_only needs learner.compare, a second domain, and domains whose role is target or "
            "both"
        )
    if with_them.publish.top > settings.publish.top:
        yield f"{key}.publish.top: at most publish.top, which is {settings.publish.top}; set that to the longest list"


def _leaves(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value


def _leaf(settings: Settings, path: str, value: Any, before: int) -> Iterator[str]:
    """Yield why a key cannot be overridden. before: the length of the arm's path."""
    section, _, name = path[before:].partition(".")
    if section == MADE_BY and not name:
        if value not in MAKERS:
            yield f"{path}: {value!r} is none of {', '.join(MAKERS)}"
    elif name not in LIST_KEYS.get(section, ()):
        known = hasattr(getattr(settings, section, None), name) if name else False
        yield f"{path}: {_second_learner(settings, section, name) if known else 'unknown key'}"


def _second_learner(settings: Settings, section: str, name: str) -> str:
    """Say what it would cost to override a key that is not one of making lists."""
    allowed = ", ".join(f"{s}.{key}" for s, keys in LIST_KEYS.items() for key in keys)
    if section in ("learner", "adaptation", "impressions", "events", "text_encoder", "intake", "domains"):
        return (
            f"{section}.{name} changes what is learned, so this arm would need a second learner: as much memory and "
            f"CPU as this service again (tables of {settings.learner.users:,} users and {len(settings.domains)} "
            f"domains, and every event learned twice). Run a second service with another redis.prefix and "
            f"checkpoint.directory, and compare outside. An arm may override {allowed} and {MADE_BY}"
        )
    return f"{section}.{name} is the same for the whole service. An arm may override {allowed} and {MADE_BY}"
