"""`crosscurrent check`: look at each thing that a start needs. Each failure says what to do."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.cli.check_encoder import check_encoder
from consumers.cli.finding import Finding
from consumers.cli.look import check_records, check_registry
from consumers.config.checks import DOMAIN_NAME
from consumers.config.schema import Settings
from consumers.connections import connect_store
from consumers.errors import Stop
from consumers.events.record import Kind
from consumers.kafka_client.client import client_options
from consumers.kafka_client.codecs import unreadable_topics
from consumers.kafka_client.problems import acls
from consumers.kafka_client.problems.acls import Operation
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.retention import requests_may_expire
from consumers.kafka_client.topics import create_canary_topic, create_topics, describe, partition_counts
from consumers.sharing.folders import present_folder
from consumers.sharing.layout import layout_for
from consumers.sharing.topics import create_shard_topics, shard_problem
from serving.contract import Write
from serving.store.errors import STORE_ERRORS
from serving.store.store_info import eviction_policy, may_throw_away


def check(settings: Settings, create_topics: bool = False) -> Iterator[Finding]:
    """Yield a finding after each look. `create_topics`: create the missing topics first."""
    yield Finding("config", True, f"{len(settings.domains)} domains: {', '.join(settings.domains)}")
    yield from check_registry(settings)
    yield from _check_kafka(settings, create_topics)
    yield _check_store(settings)
    yield _check_checkpoints(settings)
    yield from check_encoder(settings.text_encoder)


def _check_kafka(settings: Settings, create: bool) -> Iterator[Finding]:
    try:
        with KafkaAdminClient(**client_options(settings.kafka)) as admin:
            servers = ",".join(settings.kafka.bootstrap_servers)
            yield Finding("broker", True, f"{servers} answers")
            yield from _check_topics(settings, admin, create)
    except (KafkaError, OSError, ValueError) as error:
        yield Finding("broker", False, why_unreachable(settings.kafka, error))


def _check_topics(settings: Settings, admin: Any, create: bool) -> Iterator[Finding]:
    several, reroute = settings.shards.several, settings.shards.reroute_topic
    kinds = settings.topic_kinds()
    letters: tuple[str, Kind] = (settings.kafka.dead_letter_topic, "interactions")
    client = client_options(settings.kafka)
    created = list[str]()
    if create:
        created = create_topics(client, [kind for kind in kinds if kind[0] != reroute])
        created += create_topics(client, [letters], 1) + (
            create_shard_topics(client, settings) if several else []
        )
    names = [name for name, _ in (*kinds, letters)]
    rights = describe(admin, names)
    counts = rights.counts()
    for name in names:
        operation: Operation = "Write" if name == letters[0] else "Read"
        if name in rights.hidden or (name in rights.unreadable and operation == "Read"):
            give = acls.give(settings.kafka, acls.topics(operation, [name]))
            yield Finding(f"topic {name}", False, f"no right to it, if it exists. {give}")
        elif name in counts:
            how = "created with " if name in created else ""
            number = "1 partition" if counts[name] == 1 else f"{counts[name]} partitions"
            yield Finding(f"topic {name}", True, f"{how}{number}")
        elif name == settings.kafka.forget_topic:
            yield Finding(f"topic {name}", True, "not there yet: the first crosscurrent forget creates it")
        else:
            yield Finding(
                f"topic {name}", False, "missing: create it, or run crosscurrent check --create-topics"
            )
    if expiring := requests_may_expire(admin, settings.kafka.forget_topic):
        yield Finding(f"topic {settings.kafka.forget_topic}", True, expiring, warns=True)
    yield from _unowned(admin.list_topics(), settings)
    there = [(name, number) for name, _ in kinds for number in range(counts.get(name, 0))]
    unreadable = unreadable_topics(settings.kafka, there)
    for name, line in unreadable.items():
        yield Finding(f"topic {name}", False, line)
    if canary := settings.kafka.canary_topic:
        yield _check_canary(admin, canary, create)
    if several:
        problem = shard_problem(settings, admin)
        shards = settings.shards
        which = (
            f"this is shard {shards.own()} of {shards.count}"
            if shards.own() >= 0
            else f"{shards.count} shards; nothing of a single one is checked without CROSSCURRENT_SHARDS__INDEX"
        )
        own = f"{which}; topics {shards.facts_topic} and {shards.model_topic} have one partition"
        yield Finding("shards", problem is None, problem or own)
    yield from check_records(settings, counts.keys() - unreadable.keys())


def _unowned(there: Iterable[str], settings: Settings) -> Iterator[Finding]:
    """Warn of topics that have the name of a domain's topic, and that nobody reads."""
    for name in sorted(set(there) - settings.topics().keys()):
        kind, _, domain = name.partition(".")
        if kind not in ("interactions", "items") or not domain:
            continue
        if (own := settings.domains.get(domain)) is not None:  # it has another topic of this kind
            remedy = f"set domains.{domain}.{kind}_topic, which is {getattr(own, f'{kind}_topic')}"
        elif DOMAIN_NAME.fullmatch(domain):
            remedy = f"add [domains.{domain}]"
        else:
            remedy = f'add a domain with {kind}_topic = "{name}"'
        text = f"no domain of the config owns it, so nobody reads it: {remedy}, or delete the topic"
        yield Finding(f"topic {name}", True, text, warns=True)


def _check_canary(admin: Any, topic: str, create: bool) -> Finding:
    """Look at the canary topic. A missing topic is no failure: the service creates it or runs without canaries."""
    there = bool(partition_counts(admin, [topic]))
    if not there and create:
        try:
            create_canary_topic(admin, topic)
        except KafkaError as error:
            return Finding(
                f"topic {topic}",
                True,
                f"not created ({type(error).__name__}): the service runs without canaries",
            )
        return Finding(f"topic {topic}", True, "created, for canaries")
    how = (
        "exists, for canaries"
        if there
        else "missing: the service creates it at the start, or runs without canaries"
    )
    return Finding(f"topic {topic}", True, how)


def _check_store(settings: Settings) -> Finding:
    key = f"{settings.redis.prefix}:check"
    try:
        store = connect_store(settings)
        begun = time.perf_counter()
        (refusal,) = store.write([Write(key, "set", b"1", 5)]).errors
        if refusal is not None:
            raise refusal
        store.delete([key])
        millis = (time.perf_counter() - begun) * 1000
        found = store.servers()
        store.close()
    except Stop as stop:
        return Finding("store", False, str(stop))
    except STORE_ERRORS as error:
        return Finding(
            "store",
            False,
            f"answers but does not take writes ({error}): give the user SET, GET, HSET, HGET, DEL, EXPIRE, SCAN, INFO",
        )
    takes = f"takes writes ({millis:.1f} ms for two)"
    if not found:
        unseen = "it is unknown whether it evicts keys: the user may not call INFO (grant +info)"
        return Finding("store", True, f"{takes}, but {unseen}", warns=True)
    if (policy := eviction_policy(found)) is not None:
        return Finding("store", True, f"{takes}, but {may_throw_away(policy)}", warns=True)
    return Finding("store", True, takes)


def _check_checkpoints(settings: Settings) -> Finding:
    """Find out whether the directory can be written to, and whether `run` can load what is in it."""
    path = Path(settings.checkpoint.directory)
    try:
        layout_for(path, settings.shards.count)
        single = settings.shards.own() >= 0
        path = present_folder(settings) if single else path
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"1")
            file.flush()
            os.fsync(file.fileno())
    except Stop as stop:
        return Finding("checkpoints", False, str(stop))
    except OSError as error:
        return Finding(
            "checkpoints", False, f"{path.resolve()}: {error.strerror}: make it writable or set another"
        )
    if not single:
        return Finding(
            "checkpoints", True, f"{path.resolve()} is writable; those of a shard are not looked at"
        )
    return _check_state(settings, path)


def _check_state(settings: Settings, path: Path) -> Finding:
    """Find out whether `run` can load the newest checkpoint of a folder."""
    from consumers.service.saving.saved_state import check_owner  # noqa: PLC0415  (loads torch)
    from models.arms.arm_comparison import ArmComparison  # noqa: PLC0415
    from models.state.checkpoint import CheckpointDirectory, UnusableError  # noqa: PLC0415

    try:
        state, problems = CheckpointDirectory(path, read_only=True).load()
        if state is None:
            return Finding("checkpoints", True, f"{path.resolve()} is writable; none is there yet")
        check_owner(state, settings)
        arms = ArmComparison(settings.domain_list(), settings.learning())
        notes = arms.load(state["arms"])
    except UnusableError as error:
        return Finding("checkpoints", False, f"{path.resolve()}: {error}")
    except (KeyError, ValueError, TypeError) as error:
        what = "the newest one does not fit this config"
        return Finding("checkpoints", False, f"{path.resolve()}: {what}: {error}")
    events = sum(arms.full.learned)
    passed = f"; {len(problems)} damaged ones would be skipped" if problems else ""
    told = "".join(f"; {note}" for note in notes)
    return Finding(
        "checkpoints", True, f"{path.resolve()} is writable, {events:,} events are learned{passed}{told}"
    )
