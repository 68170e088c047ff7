"""Name, make and delete the topics of a run. On a broker that others use, they begin with a prefix of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafka import KafkaAdminClient

from consumers.config.schema import KafkaConfig
from consumers.config.shards import ShardsConfig
from consumers.events.record import Kind
from consumers.kafka_client.topics import create_topics

KINDS: tuple[Kind, ...] = ("interactions", "items")


class Topics(NamedTuple):
    """The topics that begin with `prefix`. Methods that ask a broker raise kafka.errors.KafkaError."""

    prefix: str = ""

    def of(self, kind: Kind, domain: str) -> str:
        return f"{self.prefix}{kind}.{domain}"

    def config(self) -> dict[str, str]:
        """Return the keys of the config's table `kafka` that name topics and the group. There are no canaries."""
        plain = KafkaConfig()
        names = {
            "dead_letter_topic": plain.dead_letter_topic,
            "forget_topic": plain.forget_topic,
            "group_id": plain.group_id,
        }
        return {key: f"{self.prefix}{name}" for key, name in names.items()} | {"canary_topic": ""}

    def of_shards(self) -> dict[str, str]:
        """Return the keys of the config's table `shards` that name topics."""
        plain = ShardsConfig()
        keys = ("facts_topic", "reroute_topic", "model_topic")
        return {key: f"{self.prefix}{getattr(plain, key)}" for key in keys}

    def make(self, bootstrap: str, domains: Sequence[str]) -> None:
        """Create the topics of all domains, and the one of dead letters."""
        client = {"bootstrap_servers": bootstrap}
        create_topics(client, [(self.of(kind, domain), kind) for domain in domains for kind in KINDS])
        create_topics(client, [(self.config()["dead_letter_topic"], "interactions")], 1)

    def delete(self, bootstrap: str) -> None:
        """Delete every topic that begins with the prefix."""
        if not self.prefix:
            raise ValueError("without a prefix these would be all topics")
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            if names := [name for name in admin.list_topics() if name.startswith(self.prefix)]:
                admin.delete_topics(names)
