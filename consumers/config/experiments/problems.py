"""Check the keys of `[experiments]`: arms that can be, and domains that are in one experiment only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from consumers.config.experiments.keys import (
    LIST_KEYS,
    MADE_BY,
    ExperimentConfig,
    domains_of,
    overridden,
)
from models.settings import ARMS

if TYPE_CHECKING:
    from consumers.config.schema import Settings

NAME = re.compile(r"[\w.-]{1,40}")


def problems(settings: Settings) -> Iterator[str]:
    """Yield a line for each problem, which begins with the path of its key and a colon."""
    taken: dict[str, str] = {}
    for name, one in settings.experiments.items():
        key, domains = f"experiments.{name}", domains_of(one, settings)
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
        if value not in ARMS:
            yield f"{path}: {value!r} is none of {', '.join(ARMS)}"
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
