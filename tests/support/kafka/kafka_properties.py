"""Make settings of an Apache Kafka under test: listeners for every way to connect, and logs cleaned at once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from consumers.demo.embedded_servers import HOST, free_port
from tests.support.kafka.certificates import Authority

USER, PASSWORD = "crosscurrent", "correct-horse-battery"
"""The user who may log in by PLAIN and SCRAM, and may do everything. Tests make other users of SCRAM."""
SECURE = {
    "SASL": ("SASL_PLAINTEXT", "broker", "none"),
    "SASLTLS": ("SASL_SSL", "broker", "none"),
    "TLS": ("SSL", "broker", "none"),
    "MUTUAL": ("SSL", "broker", "required"),
    "EXPIRED": ("SSL", "expired", "none"),
    "ELSEWHERE": ("SSL", "elsewhere", "none"),
}
"""Listeners for clients: security protocol, the broker's certificate, whether clients must show one.

`CLIENT`, the plain one, is open to all, and who comes there may do everything.
"""
OAUTH = "org.apache.kafka.common.security.oauthbearer"
MECHANISMS = {
    "plain": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "oauthbearer": f"{OAUTH}.OAuthBearerLoginModule required;",
}
UNSIGNED_TOKENS = f"{OAUTH}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"

NOT_ENABLED = {"SASLTLS": ("scram-sha-256",)}


class Ports(NamedTuple):
    """The ports of one broker by listener, with `CONTROLLER`."""

    of: dict[str, int]

    @classmethod
    def free(cls, secure: bool) -> Ports:
        return cls({name: free_port() for name in ("CLIENT", "CONTROLLER", *(SECURE if secure else ()))})


def properties(folder: Path, node: int, nodes: dict[int, Ports], settings: dict[str, str]) -> str:
    """Return the file of broker `node`. nodes: the ports of every broker. settings: what differs."""
    own = nodes[node].of
    clients = {name: port for name, port in own.items() if name != "CONTROLLER"}
    protocols = {"CLIENT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"} | {
        name: SECURE[name][0] for name in clients if name in SECURE
    }
    replicas, at_least = str(min(3, len(nodes))), str(min(2, len(nodes)))
    values = {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(
            f"{n}@{HOST}:{ports.of['CONTROLLER']}" for n, ports in nodes.items()
        ),
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in own.items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in clients.items()),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / str(node)),
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": at_least,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": at_least,
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "log.retention.check.interval.ms": "500",
        "log.cleaner.backoff.ms": "500",
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.index.size.max.bytes": "65536",
    }
    return "".join(
        f"{key}={value}\n" for key, value in (values | _security(folder, clients) | settings).items()
    )


def _security(folder: Path, clients: dict[str, int]) -> dict[str, str]:
    """Return the settings of the secure listeners among `clients`, and of the rights of their users; none without."""
    if not set(clients) & set(SECURE):
        return {}
    authority = Authority(folder)
    values = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{USER};User:CN=client;User:ANONYMOUS",
    }
    for name in clients.keys() & SECURE:
        protocol, certificate, client_auth = SECURE[name]
        begin = f"listener.name.{name.lower()}"
        if protocol.startswith("SASL"):
            enabled = [mechanism for mechanism in MECHANISMS if mechanism not in NOT_ENABLED.get(name, ())]
            values[f"{begin}.sasl.enabled.mechanisms"] = ",".join(enabled).upper()
            values |= {
                f"{begin}.{mechanism}.sasl.jaas.config": line for mechanism, line in MECHANISMS.items()
            }
            values[f"{begin}.oauthbearer.sasl.server.callback.handler.class"] = UNSIGNED_TOKENS
        if protocol.endswith("SSL"):
            values |= {
                f"{begin}.ssl.keystore.type": "PEM",
                f"{begin}.ssl.keystore.location": str(authority.store(certificate)),
                f"{begin}.ssl.truststore.type": "PEM",
                f"{begin}.ssl.truststore.location": str(authority.cert),
                f"{begin}.ssl.client.auth": client_auth,
            }
    return values
