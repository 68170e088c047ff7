"""Write the reference pages of the two contracts: what producers send to Kafka, what services read from Redis."""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.attribute_docs import attribute_docs
from consumers.config.schema import Settings
from consumers.dead_letters.sink import CUT_BYTES, HEADERS
from consumers.dead_letters.topic_reader import REPLAYED
from consumers.events import attributes, decode, fields, rejection
from deploy.markdown import NOTE, table
from serving.client.lists import DrawnFrom
from serving.contract import FIELDS, Keys, ListedItem, RecommendationList
from serving.publication.publication_queue import SLOW_SECONDS
from serving.store.publisher import PROBE_SECONDS
from serving.store.store_mark import FIELD

DEFAULTS = Settings()


def kafka_page() -> str:
    """Describe topics, fields, limits and dead letters, from the structs that decode them."""
    return "\n".join(
        [
            NOTE,
            "# Kafka contract\n",
            "Values are JSON in UTF-8. Unknown fields are ignored.\n",
            *_topics(),
            "## Interaction\n",
            "The record's key is the user_id. Producers keep their default partitioner (murmur2). All domains have",
            "the same number of partitions. A record with another key is counted and still learned.\n",
            *_fields(fields.InteractionFields),
            "## Impression\n",
            "What a user was shown, on the topic of the domain's interactions and with the same key. Impressions are",
            "optional. They are neither events nor learned as such: they tell which list a click answers.\n",
            *_fields(fields.ImpressionFields),
            "## Item\n",
            "The record's key is the item_id. An item event replaces all of the one before it. A null value removes",
            "the item.\n",
            *_fields(fields.ItemFields),
            "## Request to forget\n",
            "Written by `crosscurrent forget`. The record's key is the hash that stands for the user. A null value",
            "says that a request was deleted. It counts as a request at its own time, if none of that user was read.\n",
            *_fields(fields.ForgetFields),
            *_limits(),
            *_dead_letters(),
        ]
    )


def _topics() -> list[str]:
    kafka = DEFAULTS.kafka
    rows = [
        ("`interactions.<domain>`", "`domains.<name>.interactions_topic`", "clicks, ratings and impressions"),
        ("`items.<domain>`", "`domains.<name>.items_topic`", "items; compacted"),
        (f"`{kafka.dead_letter_topic}`", "`kafka.dead_letter_topic`", "records that cannot be used"),
        (f"`{kafka.forget_topic}`", "`kafka.forget_topic`", "requests to forget a user; compacted"),
        (
            f"`{kafka.canary_topic}`",
            "`kafka.canary_topic`",
            "the service's own records, to time the way from Kafka to the store",
        ),
    ]
    return ["## Topics\n", *table(("default name", "config key", "holds"), rows)]


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    meanings = attribute_docs(struct)
    rows = [
        (
            f"`{field.name}`",
            rejection.ALLOWED[field.name],
            "yes" if field.required else "no",
            meanings.get(field.name, ""),
        )
        for field in msgspec.structs.fields(struct)
    ]
    return table(("field", "allowed", "needed", "meaning"), rows)


def _limits() -> list[str]:
    intake = DEFAULTS.intake
    rows = [
        ("ids and event_ids", f"1 to {rejection.ID_LIMIT} Unicode characters, no lone surrogate"),
        ("a record's value", f"{intake.max_record_bytes:,} bytes (`intake.max_record_bytes`)"),
        (
            "`timestamp`",
            f"from {decode.SECONDS_LIMIT:,} ms on; a whole float such as 1795871572705.0 is allowed",
        ),
        (
            "`timestamp`, ahead",
            f"{decode.FUTURE_LIMIT_MS // 1000} s after the record's own time or the clock",
        ),
        ("`timestamp`, late", "no limit: late events are always learned"),
        ("`context`", f"{rejection.CONTEXT_LIMIT} entries, hashed into {attributes.CONTEXT_BUCKETS:,} names"),
        ("`items`", f"{rejection.ITEMS_LIMIT} ids"),
        ("`list_ts`", "as `timestamp`, and at most the same time after it"),
        ("`vectors`", f"{rejection.VECTORS_LIMIT} arrays of {rejection.VECTOR_WIDTH_LIMIT:,} numbers"),
        (
            "repeats",
            f"an event_id is looked for among the latest {intake.dedup_events:,} (`intake.dedup_events`)",
        ),
        ("a dead letter's `detail`", f"{rejection.DETAIL_LIMIT} characters"),
        ("a dead letter that is cut", f"at most {CUT_BYTES:,} bytes of its value are kept"),
        (
            "invalid records",
            f"{intake.max_invalid_ratio:.0%} of a partition's last 1,000 (`intake.max_invalid_ratio`)",
        ),
        (
            "invalid in a row",
            f"{intake.max_consecutive_invalid:,} (`intake.max_consecutive_invalid`); then exit code 3",
        ),
    ]
    end = "Above the limits of invalid records the service stops with exit code 3: a producer is broken.\n"
    return ["## Limits\n", *table(("what", "limit"), rows), end]


def _dead_letters() -> list[str]:
    return [
        "## Dead letters\n",
        "A record that cannot be used goes to the dead-letter topic with its raw key and value. The broker",
        "acknowledges it before a checkpoint passes its offset. After a crash it may appear twice, with equal",
        "headers. Headers are UTF-8.\n",
        *table(("header", "says"), [(f"`{name}`", says) for name, says in HEADERS.items()]),
        "`crosscurrent dead-letters replay` writes a mark for each letter that it sent back: an empty value, the",
        f"letter's headers and `{REPLAYED}`, which is `topic:partition:offset`.\n",
        "## Reasons\n",
        "The list is closed.\n",
        *table(("reason", "meaning"), [(f"`{name}`", text) for name, text in rejection.MEANINGS.items()]),
    ]


def redis_page() -> str:
    """Describe keys, values and cadence, from the structs and tables that make them."""
    keys = Keys(DEFAULTS.redis.prefix)
    return "\n".join(
        [
            NOTE,
            "# Redis contract\n",
            "Plain commands, no modules. Redis from 6.2 on, Valkey, and Redis Cluster: a user's keys share a hash tag.",
            f"Every key begins with the prefix (`redis.prefix`, by default `{keys.prefix}`). Numbers are decimal text,",
            "times are Unix time in ms. Readers ignore fields that they do not know.\n",
            *_keys(keys),
            f"## {', '.join(_names_of_lists(keys))}\n",
            "JSON, written whole with one SET: a reader never sees half a list. An empty list has no key.\n",
            *_struct(RecommendationList),
            "Each of `items`:\n",
            *_struct(ListedItem),
            "`pool`:\n",
            *_struct(DrawnFrom),
            *_hashes(keys),
            *_cadence(),
        ]
    )


def _names_of_lists(keys: Keys) -> list[str]:
    names = (
        keys.recommendations("<user>", "<domain>"),
        keys.popular("<domain>"),
        keys.similar("<domain>", "<item>"),
    )
    return [f"`{name}`" for name in names]


def _keys(keys: Keys) -> list[str]:
    days = f"{DEFAULTS.publish.ttl_seconds:,} s (`publish.ttl_seconds`)"
    rows = [
        (f"`{keys.recommendations('<user>', '<domain>')}`", "string", "a user's list", days),
        (f"`{keys.popular('<domain>')}`", "string", "the list for everybody else", "never"),
        (f"`{keys.user('<user>')}`", "hash", "a user's vector and counts", days),
        (f"`{keys.item('<domain>', '<item>')}`", "hash", "an item's vector and figures", "never"),
        (f"`{keys.similar('<domain>', '<item>')}`", "string", "the items most like it", "never"),
        (f"`{keys.domain('<domain>')}`", "hash", "what was learned of a domain", "never"),
        (f"`{keys.meta}`", "hash", "version and times of the whole store", "never"),
        (f"`{keys.meta}:{{<tag>}}`", "hash", f"in a cluster: `{FIELD}` of each primary", "never"),
        (f"`{keys.meta}:shard-<n>`", "hash", "with several shards: the same of each but the first", "never"),
        (f"`{keys.canary}`", "hash", "the newest record of the service's own that came through", "never"),
    ]
    return ["## Keys\n", *table(("key", "type", "holds", "expires after"), rows)]


def _struct(struct: type[msgspec.Struct]) -> list[str]:
    meanings = attribute_docs(struct)
    rows = [
        (f"`{field.name}`", _json(field.type), meanings[field.name])
        for field in msgspec.structs.fields(struct)
    ]
    return table(("field", "JSON type", "meaning"), rows)


def _json(kind: Any) -> str:
    names = {
        int: "whole number",
        float: "number",
        str: "string",
        list[ListedItem]: "array of objects",
        list[float]: "array of numbers",
        list[str]: "array of strings",
        dict[str, float] | None: "object of numbers",
        DrawnFrom | None: "object",
    }
    return names[kind]  # a type that is missing here is a fault of the page


def _hashes(keys: Keys) -> list[str]:
    names = {
        "user": keys.user("<user>"),
        "item": keys.item("<domain>", "<item>"),
        "domain": keys.domain("<domain>"),
        "meta": keys.meta,
        "canary": keys.canary,
    }
    lines = []
    for kind, texts in FIELDS.items():
        lines += [
            f"## `{names[kind]}`\n",
            *table(("field", "holds"), [(f"`{n}`", t) for n, t in texts.items()]),
        ]
    lines += ["User and item vectors share one space: their dot product is the affinity, between vectors whose",
              "`model` is close.\n"]  # fmt: skip
    return lines


def _cadence() -> list[str]:
    publish, kafka = DEFAULTS.publish, DEFAULTS.kafka
    rows = [
        ("a touched user, item or list", f"within {publish.interval_ms:g} ms (`publish.interval_ms`)"),
        ("popular lists, domains, meta", f"every {SLOW_SECONDS:g} s while anything changes"),
        ("a removed item", "its keys at once; every list that holds it within 60 s"),
        (
            "a list of a resident user",
            f"again within {publish.refresh_seconds:,g} s (`publish.refresh_seconds`), and before it expires",
        ),
        (
            "an item's neighbours",
            f"at most once in {publish.similar_seconds:g} s (`publish.similar_seconds`), when there is time",
        ),
        ("a user who lost their row", "their lists are deleted; `cc:user` expires"),
        ("a forgotten user", "every key is deleted"),
        ("the canary", f"every {kafka.canary_seconds:g} s (`kafka.canary_seconds`)"),
        (
            "a store that lost writes",
            f"noticed within {PROBE_SECONDS:g} s; what it may lack is written again",
        ),
    ]
    return ["## Cadence\n", *table(("what", "written"), rows)]
