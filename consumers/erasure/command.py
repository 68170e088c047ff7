"""Ask for a user to be forgotten: send a request to the log, delete the user's keys in the store, return a receipt."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.config.schema import KafkaConfig, Settings
from consumers.connections import connect_store
from consumers.errors import Stop
from consumers.events.rejection import ID_LIMIT
from consumers.kafka_client.client import client_options
from consumers.kafka_client.errors import OF_THE_RECORD, on_letter
from consumers.kafka_client.problems import acls
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.producer import make_producer
from consumers.kafka_client.topics import create_topics, topic_settings
from serving.contract import Keys
from serving.store.errors import STORE_ERRORS

POLL_SECONDS = 0.5
NOT_REQUESTED = "nothing was requested and nothing deleted"
ERASED = (
    "bias weights, taste, ranking slopes, network and optimizer rows, replayed and waiting events, in every learner",
    "recent and seen items, event counts, ids in the dedup window, values on their way to the store",
    "their row in the id tables",
)
YOURS = (
    "what shared weights, item statistics and error averages learned from all users together",
    "to remove that too, move checkpoint.directory away: run then learns the log again, without this user",
    "backups of the checkpoint directory and of the store, and logs of your producers",
)


class Receipt(msgspec.Struct):
    """Says what was done. It does not name the user."""

    mark: str
    """The hash that stands for the user in the topic of requests and in the state."""
    requested_ms: int
    topic: str
    partition: int
    offset: int
    store_keys_deleted: int
    state: Literal["erased", "requested"]
    """erased: a checkpoint without the user is on disk, and older ones are gone.

    requested: `run` has yet to read the request, or to delete older checkpoints.
    """
    erased: list[str]
    expire_yourself: dict[str, str]
    """How long topics that may hold the user's records keep them."""
    stays: list[str]


def forget_user(settings: Settings, user: str, wait: float) -> Receipt:
    """Request that a user be forgotten; wait at most `wait` seconds until it is done. A repeated request does no harm.

    The request goes to the log even if the store is away. Raises Stop if broker or store do not answer.
    """
    if not 1 <= len(user) <= ID_LIMIT:
        raise Stop(f"a user id has 1 to {ID_LIMIT} characters")
    ids, now = settings.privacy.ids(), int(time.time() * 1000)
    inside = ids.inside(user)
    mark = ids.mark(inside)
    value = msgspec.json.encode({"timestamp": now, "key": ids.fingerprint})
    try:
        partition, offset = _send(settings.kafka, mark.encode(), value)
        deleted = _delete_keys(settings, {user, inside})
        erased = _await(settings, partition, offset, wait)
        kept = _retention(settings)
    except KafkaError as error:
        raise Stop(why_unreachable(settings.kafka, error)) from error
    topic = settings.kafka.forget_topic
    state: Literal["erased", "requested"] = "erased" if erased else "requested"
    return Receipt(mark, now, topic, partition, offset, deleted, state, list(ERASED), kept, list(YOURS))


def _send(config: KafkaConfig, key: bytes, value: bytes) -> tuple[int, int]:
    """Send a request. Return its partition and offset. Raises Stop if the topic refuses it, and KafkaError."""
    client, topic = client_options(config), config.forget_topic
    create_topics(client, [(topic, "items")], 1)
    producer = make_producer(client, live=True)
    try:
        sent = producer.send(topic, value, key).get(timeout=15)
        return int(sent.partition), int(sent.offset)
    except TopicAuthorizationFailedError as error:
        give = acls.give(config, acls.topics("Write", [topic]))
        raise Stop(f"{NOT_REQUESTED}: no right to write to {topic}. {give}") from error
    except OF_THE_RECORD as error:
        why = (
            f"{topic} takes no record as large as this one ({len(key) + len(value)} bytes and some 100 around them): "
            "raise its max.message.bytes"
            if on_letter(error) == "cut"
            else f"{topic} refuses it ({type(error).__name__}): see its settings"
        )
        raise Stop(f"{NOT_REQUESTED}: {why}.") from error
    finally:
        producer.close(timeout=5)


def _delete_keys(settings: Settings, users: set[str]) -> int:
    """Delete the keys of these ids. The raw id is one: its keys may be older than privacy.key. Raises Stop."""
    keys, names = Keys(settings.redis.prefix), list(settings.domains)
    try:
        with contextlib.closing(connect_store(settings)) as store:
            return store.delete(
                key
                for user in users
                for key in (keys.user(user), *(keys.recommendations(user, name) for name in names))
            )
    except (Stop, *STORE_ERRORS) as error:
        # The text of a store's error may hold the URL with its password, so it is not shown.
        why = str(error) if isinstance(error, Stop) else f"The store failed ({type(error).__name__})."
        older = ", and those from before there was a privacy.key" if len(users) > 1 else ""
        raise Stop(
            "the request is in the log, and `run` will delete the user's keys once it reaches the store. Here: "
            f"{why} Repeat the command to delete them at once{older}."
        ) from None


def _await(settings: Settings, partition: int, offset: int, seconds: float) -> bool:
    """Wait until `run` commits the request's offset. Return whether it did in time.

    It commits once a checkpoint has passed the request and older checkpoints are gone.
    """
    group, tp = settings.kafka.group_id, TopicPartition(settings.kafka.forget_topic, partition)
    deadline = time.monotonic() + seconds
    with KafkaAdminClient(**client_options(settings.kafka)) as admin:
        while True:
            committed = admin.list_group_offsets({group: [tp]}).get(group, {}).get(tp)
            if committed is not None and committed.offset > offset:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)


def _retention(settings: Settings) -> dict[str, str]:
    """Return how long each topic with raw user ids keeps records, in words."""
    topics = settings.topics_of("interactions")
    topics.append(settings.kafka.dead_letter_topic)
    with KafkaAdminClient(**client_options(settings.kafka)) as admin:
        return {topic: _kept(admin, topic) for topic in topics}


def _kept(admin: Any, topic: str) -> str:
    told = topic_settings(admin, topic).get("retention.ms")
    if told is None:
        return "until its retention.ms, which the broker does not tell"
    millis = int(told)
    return f"retention.ms = {millis}" + (
        ": kept for ever" if millis < 0 else f", {millis / 86_400_000:g} days"
    )


def lines(receipt: Receipt) -> Iterator[str]:
    """Write the receipt for people."""
    yield f"request {receipt.mark} at {receipt.topic}:{receipt.partition}:{receipt.offset}"
    yield f"store: {receipt.store_keys_deleted} keys deleted"
    if not receipt.store_keys_deleted:
        yield "  (none were there: if this user had events, check how the id is written)"
    if receipt.state == "erased":
        yield "state: run has carried the request out; a checkpoint without this user is on disk, older ones are gone:"
    else:
        yield "state: to be erased by run, which has not read the request yet (at once, or at its next start),"
        yield "or has not yet deleted older checkpoints (a large state: minutes later):"
    yield from (f"  - {what}" for what in receipt.erased)
    yield "records that this command cannot delete; let them expire:"
    yield from (f"  - {topic}: {how}" for topic, how in receipt.expire_yourself.items())
    yield "stays:"
    yield from (f"  - {what}" for what in receipt.stays)
