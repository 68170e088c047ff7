"""Run the policies in one closed-loop world, each from the same warm service."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple, get_args

import msgspec

from consumers.config.schema import Settings
from consumers.encoding.open_encoder import opened_for_command
from consumers.evaluation.closed_loop.in_process import InProcess, Vectors, settings_of
from consumers.evaluation.closed_loop.tally import Outcome, Tally, outcome
from consumers.evaluation.workers import Tell
from consumers.service.text_encoding import encode
from consumers.simulator.closed_loop.loop import first_items, run
from consumers.simulator.closed_loop.records import Look
from consumers.simulator.closed_loop.settings import LoopSettings
from consumers.simulator.closed_loop.world import Ints, World
from consumers.simulator.event_stream import item_id
from consumers.terminal import log
from models.schema import Item

Policy = Literal["greedy", "explore", "informed"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""greedy: `explore = 0`. explore: `explore` as asked for. informed: greedy, and told each item's true appeal."""


class LoopPass(NamedTuple):
    """Defines what one process runs: the warm-up, then every policy."""

    world: LoopSettings
    settings: bytes
    """The config as JSON. The learner's seed is that of the world."""
    explore: float


class Unwatched:
    """A watcher of a warm-up, which is not measured."""

    def before(self, time: int, user: int, domain: int, rows: Ints) -> None: ...

    def after(self, look: Look) -> None: ...


def run_pass(one: LoopPass, tell: Tell) -> dict[Policy, Outcome]:
    """Run every policy in a world, and return its figures. tell: is called with the number of impressions done."""
    log.configure(quiet=True)  # alarms of drift would come between the bars
    world = World(one.world)
    settings = msgspec.json.decode(one.settings, type=Settings)
    vectors = text_vectors(world, settings)
    warm = InProcess(settings_of(settings, one.world.seed, 0.0), vectors)
    warm.put(first_items(world))
    before, after = range(one.world.before), range(one.world.before, one.world.end)
    run(world, warm, before, Unwatched(), "e", tell)
    outcomes: dict[Policy, Outcome] = {}
    for number, policy in enumerate(POLICIES):
        done = len(before) + number * len(after)
        outcomes[policy] = _run_policy(world.copy(), warm, policy, one.explore, partial(_further, tell, done))
    return outcomes


def stage_at(before: int, after: int, done: int) -> str:
    """Return what a pass does after `done` impressions, if `before` are shared and each policy has `after`.

    >>> stage_at(20, 50, 10), stage_at(20, 50, 20), stage_at(20, 50, 130)
    ('shared', 'greedy', 'informed')
    """
    return "shared" if done < before else POLICIES[min((done - before) // after, len(POLICIES) - 1)]


def _run_policy(world: World, warm: InProcess, policy: Policy, explore: float, tell: Tell) -> Outcome:
    """Run one policy from the state of a warm service on. explore: that of the policy that explores."""
    wanted = explore if policy == "explore" else 0.0
    service = warm.successor(wanted, world if policy == "informed" else None)
    tally = Tally(world)
    run(world, service, range(world.settings.before, world.settings.end), tally, "e", tell)
    return outcome(world, tally)


def _further(tell: Tell, done: int, count: int) -> None:
    """Tell of `count` impressions after others."""
    tell(done + count)


def text_vectors(world: World, settings: Settings) -> Vectors:
    """Encode the texts of all items of a world. Raises Stop."""
    texts = {
        (name, item_id(name, row)): Item(name, item_id(name, row), *words).words()
        for name, items in zip(world.domains, world.items, strict=True)
        for row, words in enumerate(items.words)
    }
    return encode(opened_for_command(settings.text_encoder), texts)
