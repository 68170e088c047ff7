"""Name the rights that a user of Kafka lacks, in the words of its tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from consumers.config.schema import KafkaConfig

Operation = Literal["Read", "Write", "Create"]
HIDDEN = 29
"""TOPIC_AUTHORIZATION_FAILED: Kafka's answer for a topic that the user may not describe, even if it does not exist."""


def topics(operation: Operation, names: Iterable[str]) -> list[str]:
    """Return the ACL that each topic needs. Read and Write include Describe."""
    return [f"{operation} on Topic:{name}" for name in sorted(names)]


def group(config: KafkaConfig) -> str:
    """Return the ACL that is needed to commit offsets."""
    return f"Read on Group:{config.group_id}"


def give(config: KafkaConfig, acls: Iterable[str]) -> str:
    """Return the sentence that says which ACLs to give to whom."""
    return f"Give {_who(config)} the ACLs: {', '.join(acls)}"


def _who(config: KafkaConfig) -> str:
    if config.security_protocol.startswith("SASL") and config.sasl_username:
        return f"User:{config.sasl_username}"
    if config.ssl_certfile:
        return "the user that kafka.ssl_certfile names"
    return "User:ANONYMOUS"
