"""Read the latest text of every item from the topics of items."""

from __future__ import annotations

from collections.abc import Callable

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.events.record import record_of
from consumers.formats.registry import SchemaUnavailable
from consumers.formats.topic_reader import decoder_of
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.read_to_ends import READER, read_to_ends
from models.schema import Item

Texts = dict[tuple[str, str], str]
"""By domain and item id."""


def item_texts(settings: Settings, say: Callable[[str], None]) -> Texts:
    """Return the texts of the items that have one. Raises Stop if the log cannot be read to its end."""
    topics = settings.topics_of("items")
    decoder, texts = decoder_of(settings), Texts()
    try:
        with KafkaConsumer(**client_options(settings.kafka), **READER) as consumer:
            for topic in topics:
                places = [
                    KafkaPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())
                ]
                if not places:
                    raise Stop(
                        f"topic {topic} is missing: create it, or run crosscurrent check --create-topics"
                    )
                consumer.assign(places)
                consumer.seek_to_beginning(*places)
                count = 0
                for found in read_to_ends(consumer, places, {}):
                    decoded = decoder.decode(record_of(found))
                    if isinstance(decoded, Item):
                        _put(texts, decoded)
                    count += 1
                say(f"read {topic}: {count:,} records")
    except SchemaUnavailable as error:
        raise Stop(str(error)) from error
    except (KafkaError, OSError, ValueError) as error:
        raise Stop(why_unreachable(settings.kafka, error)) from error
    return texts


def _put(texts: Texts, item: Item) -> None:
    key, words = (item.domain, item.item_id), "" if item.removed else item.words()
    texts.pop(key, None)
    if words.strip():
        texts[key] = words
